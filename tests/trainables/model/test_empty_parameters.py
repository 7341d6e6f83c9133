"""A model that is built without values and filled from storage is the one that was built with values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from search_spaces.spec import LanguageSpec, TokenizerSpec
from tests.support.gguf_checkpoints import WIDTH, write_gguf
from tests.support.hub_languages import FAMILIES, hub_language
from tests.support.tiny_specs import language, stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.evaluation.evaluate import load_whole
from trainables.export.folder import finished_stages
from trainables.model import language as module
from trainables.model.empty_parameters import empty_parameters
from trainables.model.language import build_language
from trainables.storage.store import LocalStore
from trainables.training.weights_io import load_strict
from trainables.trial_data import TrialData


def _gguf_language(root: Path) -> LanguageSpec:
    return language(
        family="llama",
        checkpoint=f"path:{write_gguf(root / 'a.gguf').name}",
        config={},
        tokenizer=TokenizerSpec(kind="checkpoint"),
        width=WIDTH,
    )


GGUF = "of a GGUF file"
"""Transformers builds it with the values of the file."""

LANGUAGES: dict[str, Callable[[Path], LanguageSpec]] = {
    "of a configuration": lambda root: language(),
    "tied": lambda root: language(config={**language().config, "tie_word_embeddings": True}),
    GGUF: _gguf_language,
    **{family: lambda root, family=family: hub_language(root, family) for family in FAMILIES},  # type: ignore[misc]
}
VOCABULARY = 600
"""More than the models have: their embeddings grow."""


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_model_filled_from_tensors_is_the_model_that_they_come_from(name: str, tmp_path: Path) -> None:
    spec = LANGUAGES[name](tmp_path)
    built: Any = build_language(spec, VOCABULARY, 7, tmp_path).eval()
    empty: Any = build_language(spec, VOCABULARY, 7, tmp_path, is_empty=True).eval()
    assert {parameter.is_meta for parameter in empty.parameters()} == {name != GGUF}
    weights = dict(built.named_parameters()) | {
        key: buffer for key, buffer in built.named_buffers() if key in built.state_dict()
    }
    load_strict(empty, weights.keys(), weights.__getitem__, tmp_path)
    assert [key for key, _ in empty.named_parameters()] == [key for key, _ in built.named_parameters()]
    assert empty.generation_config.to_dict() == built.generation_config.to_dict()
    for (key, buffer), (_, expected) in zip(empty.named_buffers(), built.named_buffers(), strict=True):
        assert torch.equal(buffer, expected), key
    ids_BT = torch.arange(20).reshape(2, 10)
    assert torch.equal(empty(input_ids=ids_BT).logits, built(input_ids=ids_BT).logits)


def test_parameters_take_the_type_of_what_is_stored_without_a_detour() -> None:
    with empty_parameters():
        part = nn.Linear(3, 2)
    weights = {"weight": torch.ones(2, 3, dtype=torch.bfloat16), "bias": torch.zeros(2, dtype=torch.bfloat16)}
    load_strict(part, weights.keys(), weights.__getitem__, Path("weights"))
    assert {parameter.dtype for parameter in part.parameters()} == {torch.bfloat16}
    assert torch.equal(F.linear(torch.ones(1, 3, dtype=torch.bfloat16), part.weight), torch.full((1, 2), 3.0))


def test_outside_the_block_parameters_have_values() -> None:
    with pytest.raises(ValueError, match="inside"), empty_parameters():
        raise ValueError("inside")
    assert not nn.Linear(3, 2).weight.is_meta


def test_a_trained_language_model_of_a_gguf_file_is_loaded_again_by_the_next_stage_and_by_evaluation(
    tmp_path: Path,
) -> None:
    stages = (stage("first", max_steps=1), stage(max_steps=1))
    task = make_task(tmp_path, language_spec=_gguf_language(tmp_path), stages=stages)
    assert len(losses(run(task))) == 2
    store = LocalStore(tmp_path)
    whole = load_whole(task, finished_stages(task, store), TrialData(task, store), store)
    assert not any(parameter.is_meta for parameter in whole.parameters())


def test_the_checkpoint_of_a_trained_language_model_is_read_for_its_first_stage_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    load = module.load_language

    def counted(config: Any, folder: Path, prefix: str) -> Any:
        reads.append(folder)
        return load(config, folder, prefix)

    monkeypatch.setattr(module, "load_language", counted)
    spec = hub_language(tmp_path, "llama")
    task = make_task(tmp_path, language_spec=spec, stages=(stage("first", max_steps=1), stage(max_steps=1)))
    run(task)
    store = LocalStore(tmp_path)
    load_whole(task, finished_stages(task, store), TrialData(task, store), store)
    assert len(reads) == 1
