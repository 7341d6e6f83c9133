"""Claims about compiled layers: the same training up to rounding, for any lengths, and nothing is left of them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import transformers
from torch import Tensor, nn
from torch._dynamo import convert_frame
from torch._dynamo.utils import counters

from search_spaces.errors import InputError
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.model.dropout import Draws, replace_dropout
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore
from trainables.task import TrialTask
from trainables.training import stage_engine
from trainables.training.compiled_layers import compile_layers


def _provenance(task: TrialTask) -> dict[str, str]:
    result = read(LocalStore(Path(task.storage)), layout.stage_result(task.stages[0].key), StageResult)
    assert result is not None
    return result.provenance


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Tensor]]]:
    """Weights of all compiled layers, which nothing keeps alive; Python collects no garbage by chance."""
    seen: list[weakref.ref[Tensor]] = []

    def watched(language: nn.Module) -> None:
        seen.extend(weakref.ref(parameter) for parameter in language.parameters())
        compile_layers(language)

    monkeypatch.setattr(stage_engine, "compile_layers", watched)
    gc.disable()
    yield seen
    gc.enable()


def test_compiled_layers_train_the_same_up_to_rounding_whatever_the_lengths(
    tmp_path: Path, weights: list[weakref.ref[Tensor]]
) -> None:
    """One test, as compiling takes most of its time: losses, key, provenance, what was compiled, what is left."""
    plain, compiled = (
        make_task(tmp_path / str(is_on), stages=(stage(max_steps=5),), benchmarks=(), compile=is_on)
        for is_on in (False, True)
    )
    expected = losses(run(plain))
    counters.clear()
    assert losses(run(compiled)) == pytest.approx(expected, rel=1e-4)
    assert counters["stats"]["unique_graphs"] == 1
    assert plain.stages[0].key == compiled.stages[0].key
    assert (_provenance(plain).get("compile"), _provenance(compiled)["compile"]) == (None, "layers")
    assert not convert_frame.output_codes.seen
    assert weights
    assert not [reference for reference in weights if reference() is not None]


def test_without_a_compiler_a_stage_says_what_is_missing_and_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(tmp_path, compile=True)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"resources\.compile: compile needs a C\+\+ compiler \(no-such-compiler\)"):
        run(task)


def test_layers_with_dropout_are_not_compiled() -> None:
    language = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=8))
    replace_dropout(language, Draws())
    with pytest.raises(InputError, match="layers without dropout"):
        compile_layers(language)


def test_a_model_without_layers_of_transformers_kind_is_not_compiled() -> None:
    with pytest.raises(InputError, match="Linear has none"):
        compile_layers(nn.Linear(2, 2))
