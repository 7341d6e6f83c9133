"""GGUF files broken by a generator: every tensor of the built model is the file's, or the file is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec, TokenizerSpec
from tests.support.broken_inputs import tries
from tests.support.gguf_checkpoints import WIDTH, write_gguf
from tests.support.tiny_specs import language
from trainables.model.language import build_language
from trainables.model.language_files import check_language

_LAYERS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "attn_norm", "ffn_norm")
NAMES = (
    "token_embd.weight",
    "output_norm.weight",
    *(f"blk.{block}.{name}.weight" for block in (0, 1) for name in _LAYERS),
)


def _spec(file: Path) -> LanguageSpec:
    tokenizer = TokenizerSpec(kind="checkpoint")
    return language(family="llama", checkpoint=f"path:{file.name}", config={}, tokenizer=tokenizer, width=WIDTH)


def _built(file: Path) -> dict[str, Tensor]:
    return build_language(_spec(file), 100, 7, file.parent).state_dict()


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[bytes, dict[str, Tensor]]]:
    """Make whole files, by whether the output layer is tied, and the weights of their models."""
    root = tmp_path_factory.mktemp("gguf")
    files = {tied: write_gguf(root / f"{tied}.gguf", tied=tied) for tied in (False, True)}
    return {tied: (file.read_bytes(), _built(file)) for tied, file in files.items()}


def _broken(whole: bytes, tied: bool, file: Path, draw: Any) -> tuple[str, ...]:
    """Write a file that is broken in one way; return what the refusal must name, any of these."""
    how = draw(st.sampled_from(["cut", "drop", "rename", "swap", "rows", "pointer", "start"]))
    name = draw(st.sampled_from(NAMES))
    match how:
        case "cut":
            file.write_bytes(whole[: draw(st.integers(0, len(whole) - 1))])
            return (file.name,)
        case "drop":
            write_gguf(file, tied=tied, without={name})
            return (name,)
        case "rename":  # to a name of the same length
            file.write_bytes(whole.replace(name.encode(), f"{name[:-1]}{draw(st.sampled_from('xyz_'))}".encode(), 1))
            return (name,)
        case "swap":  # the first letters of all names
            file.write_bytes(whole.replace(b"blk.", b"lay."))
            return ("blk.0.",)
        case "rows":
            write_gguf(file, tied=tied, rows=draw(st.integers(1, 200)))
            return ("every token must have a trained embedding",)
        case "pointer":
            file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 99\n")
            return ("Git LFS pointer",)
        case _:
            file.write_bytes(draw(st.binary(min_size=1, max_size=8)) + whole)
            return (file.name,)


@tries("gguf", few=30)
@given(data=st.data(), tied=st.booleans())
def test_a_gguf_file_is_the_model_or_is_refused_by_name(
    data: st.DataObject,
    tied: bool,
    wholes: dict[bool, tuple[bytes, dict[str, Tensor]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    whole, tensors = wholes[tied]
    file = tmp_path_factory.mktemp("broken") / "a.gguf"
    said = _broken(whole, tied, file, data.draw)
    refused = _refusal(file)
    if refused is not None:
        assert any(word in refused for word in said), (said, refused)
        return
    assert len(whole) - len(file.read_bytes()) < 32, said  # cut off behind the last tensor
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in _built(file).items())


def _refusal(file: Path) -> str | None:
    """Return what an InputError says of a file, or None if it is not refused."""
    try:
        check_language(_spec(file), file.parent)
    except InputError as error:
        return str(error)
    return None
