"""Claims about the code of an exported folder: it loads a whole folder in silence, and refuses any other by name."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from tests.support import damaged_folders
from tests.support.exports import exported, trained
from tests.support.hub_languages import hub_language
from tests.support.tiny_specs import vision

NAME = "language.model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a model whose output layer is tied to its embeddings."""
    root = tmp_path_factory.mktemp("own")
    return exported(trained(root, vision(), language_spec=hub_language(root, "qwen2")), root, "hf-own-code")


@pytest.fixture
def said() -> Iterator[list[str]]:
    """List what transformers says in its log."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def test_a_whole_folder_loads_without_a_warning(folder: Path, said: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, found = AutoModel.from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
        again = AutoModel.from_pretrained(folder, trust_remote_code=True)
    assert said == []
    assert not any(found.values())
    assert model.language.lm_head.weight is model.language.model.embed_tokens.weight
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damaged_folders.drop, f"tensors are 1 missing: {NAME}$"),
        (damaged_folders.rename, f"tensors are 1 missing: {NAME}; 1 unexpected: {NAME}_old$"),
        (damaged_folders.reshape, rf"1 of another shape: {NAME} \(\[64, 64\] instead of \[64, 32\]\)$"),
        (damaged_folders.add, f"tensors are 1 unexpected: {NAME}.extra$"),
        (damaged_folders.cut, "a file of weights is cut off or damaged"),
        (damaged_folders.point, r"model\.safetensors is a Git LFS pointer, not the weights: run `git lfs pull`"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(
    folder: Path, damage: Callable[[Path, str], None], says: str, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    damage(damaged, NAME)
    with pytest.raises(ValueError, match=says) as raised:
        AutoModel.from_pretrained(damaged, trust_remote_code=True)
    assert str(damaged) in str(raised.value)


def test_embeddings_that_are_tied_and_missing_are_refused(folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    damaged_folders.drop(damaged, "language.model.embed_tokens.weight")
    with pytest.raises(ValueError, match=r"missing: language\.(lm_head|model\.embed_tokens)\.weight"):
        AutoModel.from_pretrained(damaged, trust_remote_code=True)
