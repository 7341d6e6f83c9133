"""A node's weights are compared by names and sizes of files, where nothing is read and nothing fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.model import weights
from trainables.model.weights_on_node import ExpectedWeights, WeightsOnNode, compare_weights, expect_weights

FILES = {"config.json": "{}", "model.safetensors": "1234", "vocabulary/merges.txt": "a b"}
HUB = "hub:tiny/llama@main"


def folder_with(folder: Path, **changes: str | None) -> Path:
    """Write a checkpoint, with other contents of some files (by name, `__` for `/` and `_` for `.`); None for none."""
    named = {name.replace("__", "/").replace("_", "."): text for name, text in changes.items()}
    for name, text in {**FILES, **named}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder


@pytest.fixture
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have an empty cache of the hub's client, and fail where the hub is asked."""

    def refuse(*_: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "_fetch", refuse)


def test_files_of_the_same_names_and_sizes_are_not_read(tmp_path: Path) -> None:
    folder_with(tmp_path / "here/tower")
    folder_with(tmp_path / "there/tower", model_safetensors="4321")
    expected = expect_weights(["path:tower"], tmp_path / "here")
    assert compare_weights(expected, tmp_path / "there") == WeightsOnNode()


def test_notes_of_a_download_are_not_compared(tmp_path: Path) -> None:
    folder_with(tmp_path / "here/tower", **{"_cache__huggingface__model_metadata": "1"})
    folder_with(tmp_path / "there/tower")
    assert compare_weights(expect_weights(["path:tower"], tmp_path / "here"), tmp_path / "there") == WeightsOnNode()


def test_what_is_missing_or_of_another_size_is_named_with_the_checkpoint_and_a_way_out(tmp_path: Path) -> None:
    folder_with(tmp_path / "here/tower")
    expected = expect_weights(["path:tower"], tmp_path / "here")
    there = tmp_path / "there"
    way_out = f"; copy it to {there / 'tower'}, or give a data folder that all nodes see with --data)"
    assert compare_weights(expected, there).lacking == (f"path:tower (it is not there{way_out}",)
    folder_with(there / "tower", config_json=None, model_safetensors="123", more_bin="")
    assert compare_weights(expected, there).lacking == (
        "path:tower (config.json is missing, model.safetensors has 3 bytes, not 4, "
        f"more.bin is not where the run was started{way_out}",
    )


def test_a_file_and_many_differences(tmp_path: Path) -> None:
    (tmp_path / "one.gguf").write_text("1234")
    assert compare_weights(expect_weights(["path:one.gguf"], tmp_path), tmp_path) == WeightsOnNode()
    (lacks,) = compare_weights([ExpectedWeights("path:one.gguf", {"one.gguf": 5})], tmp_path).lacking
    assert lacks.startswith("path:one.gguf (one.gguf has 4 bytes, not 5; ")
    folder_with(tmp_path / "tower")
    shards = {f"{number}.bin": 1 for number in range(9)}
    (lacks,) = compare_weights([ExpectedWeights("path:tower", shards)], tmp_path).lacking
    assert "2.bin is missing, 9 more files differ;" in lacks


def test_a_package_must_be_installed(tmp_path: Path) -> None:
    (lacks,) = compare_weights([ExpectedWeights("package:no_such_package", {})], tmp_path).lacking
    assert lacks.startswith("package:no_such_package (the package no_such_package must be installed")
    assert lacks.endswith("; install the version there that the machine of the run has)")


@pytest.mark.usefixtures("_nothing_is_fetched")
def test_weights_of_the_hub_that_are_not_there_are_to_be_fetched_unless_the_node_is_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_with(tmp_path / "here/hub/tiny/llama")
    expected = expect_weights([HUB], tmp_path / "here")
    assert compare_weights(expected, tmp_path / "there") == WeightsOnNode(fetched=(HUB,))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (lacks,) = compare_weights(expected, tmp_path / "there").lacking
    assert lacks.startswith(f"{HUB} (it is not there, and HF_HUB_OFFLINE is set; copy it to ")


@pytest.mark.usefixtures("_nothing_is_fetched")
def test_of_a_snapshot_of_the_hub_weights_configuration_and_tokenizer_are_compared(tmp_path: Path) -> None:
    folder_with(tmp_path / "here/hub/tiny/llama", **{"README_md": "long", "pytorch_bin": "12", "onnx__model_bin": "1"})
    expected = expect_weights([HUB], tmp_path / "here")
    folder_with(tmp_path / "there/hub/tiny/llama", flax_msgpack="1")
    assert compare_weights(expected, tmp_path / "there") == WeightsOnNode()
    folder_with(tmp_path / "other/hub/tiny/llama", config_json='{"a": 1}')
    (lacks,) = compare_weights(expected, tmp_path / "other").lacking
    assert lacks.startswith(f"{HUB} (config.json has 8 bytes, not 2; copy it to {tmp_path / 'other/hub/tiny/llama'}, ")
