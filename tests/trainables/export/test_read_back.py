"""Claims about the writing of exports: what is read back is what was to be written, or no folder appears."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast

from search_spaces.errors import InputError
from tests.support import damaged_folders
from tests.support.exports import CLIP, exported, tiny_tower, trained
from tests.support.hub_languages import hub_language
from trainables.task import TrialTask

NAME = "language_model.model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> TrialTask:
    return trained(tmp_path_factory.mktemp("llava"), tiny_tower(CLIP))


def _lossy(monkeypatch: pytest.MonkeyPatch, kind: Any, damage: Callable[[Path], object]) -> None:
    """Let what a class saves be damaged on its way to the disk."""
    save = kind.save_pretrained

    def lossy(self: Any, folder: Path, **given: Any) -> Any:
        saved = save(self, folder, **given)
        damage(Path(folder))
        return saved

    monkeypatch.setattr(kind, "save_pretrained", lossy)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damaged_folders.drop, f"1 are missing \\({NAME} first\\)"),
        (damaged_folders.rename, f"1 are missing \\({NAME} first\\)"),
        (damaged_folders.reshape, f"1 have another shape \\({NAME} first\\)"),
        (damaged_folders.retype, f"1 have another type \\({NAME} first\\)"),
        (damaged_folders.nudge, f"1 have other values \\({NAME} first\\)"),
        (damaged_folders.add, f"1 were not to be written \\({NAME}.extra first\\)"),
        (damaged_folders.cut, r"model\.safetensors: the file is cut off"),
        (damaged_folders.point, r"model\.safetensors: the file is a Git LFS pointer"),
    ],
)
def test_weights_that_are_not_what_was_to_be_written_are_named_and_nothing_is_left(
    task: TrialTask,
    damage: Callable[[Path, str], None],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _lossy(monkeypatch, LlavaForConditionalGeneration, lambda folder: damage(folder, NAME))
    with pytest.raises(InputError, match=says):
        exported(task, tmp_path)
    assert list(tmp_path.iterdir()) == []


def _edited(folder: Path, file: str, *way: str, value: object) -> None:
    content = json.loads((folder / file).read_text())
    inner = content
    for name in way[:-1]:
        inner = inner[name]
    inner[way[-1]] = value
    (folder / file).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "file", "damage"),
    [
        (LlavaForConditionalGeneration, "config.json", lambda folder: _edited(
            folder, "config.json", "text_config", "rms_norm_eps", value=0.5)),
        (LlavaForConditionalGeneration, "config.json", lambda folder: (folder / "config.json").write_text("{")),
        (LlavaForConditionalGeneration, "generation_config.json", lambda folder: _edited(
            folder, "generation_config.json", "eos_token_id", value=77)),
        (PreTrainedTokenizerFast, "tokenizer.json", lambda folder: _edited(
            folder, "tokenizer.json", "post_processor", value=None)),
        (PreTrainedTokenizerFast, "tokenizer_config.json", lambda folder: _edited(
            folder, "tokenizer_config.json", "eos_token", value="<pad>")),
    ],
)  # fmt: skip
def test_settings_that_are_not_what_was_to_be_written_are_named(
    task: TrialTask,
    kind: Any,
    file: str,
    damage: Callable[[Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _lossy(monkeypatch, kind, damage)
    with pytest.raises(InputError, match=file.replace(".", r"\.")):
        exported(task, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_image_settings_that_differ_are_named(task: TrialTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _lossy(
        monkeypatch,
        LlavaProcessor,
        lambda folder: _edited(folder, "processor_config.json", "image_processor", "image_mean", value=[0.1, 0.2, 0.3]),
    )
    with pytest.raises(InputError, match=r"processor_config\.json: must be read back .* in 'image_mean'"):
        exported(task, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_other_forms_are_read_back_too(task: TrialTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _lossy(monkeypatch, PreTrainedTokenizerFast, lambda folder: _edited(
        folder, "tokenizer.json", "post_processor", value=None))  # fmt: skip
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        exported(task, tmp_path, "hf-own-code")
    monkeypatch.undo()
    name = "model.layers.0.mlp.up_proj.weight"
    _lossy(monkeypatch, LlamaForCausalLM, lambda folder: damaged_folders.nudge(folder, name))
    with pytest.raises(InputError, match=f"1 have other values \\({name} first\\)"):
        exported(task, tmp_path, "hf-language")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["hf", "hf-own-code", "hf-language"])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_two_exports_of_a_trial_are_equal_byte_for_byte(family: str, form: str, tmp_path: Path) -> None:
    task = trained(tmp_path, tiny_tower(CLIP), language_spec=hub_language(tmp_path, family))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = exported(task, tmp_path / "first", form)
        for state in range(2, 5):  # the order of a file's metadata is drawn, not by torch
            torch.manual_seed(state)
            again = exported(task, tmp_path / str(state), form)
            assert sorted(file.name for file in first.iterdir()) == sorted(file.name for file in again.iterdir())
            for file in first.iterdir():
                assert file.read_bytes() == (again / file.name).read_bytes(), file.name
