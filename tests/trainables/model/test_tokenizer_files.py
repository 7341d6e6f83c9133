"""A rank on a machine without a checkpoint reads its tokenizer from what rank 0 sends, and asks for no weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from tests.support.gloo_pair import run_on_two
from tests.support.hub_languages import CHATML, hub_language
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.model import tokenizer_files as module
from trainables.model.tokenizer_files import tokenizer_files


def _without_checkpoints_on_rank_1() -> None:
    """Have rank 1 find no checkpoint on its machine, and fail where it would fetch one."""
    names = vars(module)
    find, local = names["find_weights"], names["local_weights"]

    def is_blind() -> bool:
        return os.environ.get("RANK") == "1"

    def refuse_on_rank_1(origin: str, data_root: Path) -> Path:
        if is_blind():
            raise AssertionError(f"rank 1 was asked for the weights of {origin}")
        path: Path = find(origin, data_root)
        return path

    names["find_weights"] = refuse_on_rank_1
    names["local_weights"] = lambda origin, root: None if is_blind() else local(origin, root)


def test_a_rank_without_the_checkpoint_trains_as_one_with_it(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama", prompt="vicuna-v15", max_length=200)
    stages = (stage(max_steps=2),)
    alone = losses(run(make_task(tmp_path, trial_id="alone", language_spec=spec, stages=stages, benchmarks=())))
    pair = make_task(
        tmp_path / "pair", language_spec=hub_language(tmp_path / "pair", "llama", prompt="vicuna-v15", max_length=200),
        stages=stages, benchmarks=(), workers=2,
    )  # fmt: skip
    (seen,) = run_on_two([pair], before=_without_checkpoints_on_rank_1)
    assert seen == pytest.approx(alone, rel=1e-5)


def test_no_weights_of_any_framework_are_sent_to_a_rank_without_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_language(tmp_path, "qwen2", template=CHATML)
    (folder,) = (tmp_path / "hub").glob("*/*")
    present = {path.name for path in folder.iterdir()}
    for name in ("tf_model.h5", "flax_model.msgpack", "rust_model.ot", "64.tflite", "model.onnx", "README.md"):
        (folder / name).write_bytes(b"weights")
    with (folder / "logits.json").open("wb") as large:
        large.truncate((128 << 20) + 1)
    monkeypatch.setattr(module, "local_weights", lambda origin, data_root: None)
    with tokenizer_files("hub:tiny/qwen2@main", tmp_path) as path:
        assert path != folder
        assert {file.name for file in path.iterdir()} == present - {"model.safetensors"}
        assert (path / "chat_template.jinja").read_text() == CHATML


def test_a_checkpoint_that_is_here_is_read_where_it_is(tmp_path: Path) -> None:
    hub_language(tmp_path, "llama")
    (folder,) = (tmp_path / "hub").glob("*/*")
    origin = f"hub:{folder.relative_to(tmp_path / 'hub')}"
    with tokenizer_files(origin, tmp_path) as path:
        assert path == folder


def test_a_checkpoint_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing"), tokenizer_files("path:nowhere", tmp_path):
        pass
