"""A GGUF file has all tensors of the model that its header describes, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec, TokenizerSpec
from tests.support.gguf_checkpoints import WIDTH, write_gguf
from tests.support.tiny_specs import language
from trainables.model.language import build_language
from trainables.model.language_files import check_language


def _spec(file: Path, family: str = "llama") -> LanguageSpec:
    return language(
        family=family,
        checkpoint=f"path:{file.name}",
        config={},
        tokenizer=TokenizerSpec(kind="checkpoint"),
        width=WIDTH,
    )


@pytest.mark.parametrize("tied", [False, True])
def test_a_whole_file_is_accepted_and_loaded(tied: bool, tmp_path: Path) -> None:
    spec = _spec(write_gguf(tmp_path / "a.gguf", tied=tied))
    check_language(spec, tmp_path)
    model = build_language(spec, 100, 7, tmp_path)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied


@pytest.mark.parametrize(
    "name", ["blk.1.attn_q.weight", "output_norm.weight", "token_embd.weight", "blk.0.ffn_up.weight"]
)
def test_a_missing_tensor_is_named(name: str, tmp_path: Path) -> None:
    spec = _spec(write_gguf(tmp_path / "a.gguf", without={name}))
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        check_language(spec, tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95])
def test_a_file_that_is_cut_off_is_called_so(share: float, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "a.gguf")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    for run in (check_language, lambda spec, root: build_language(spec, 100, 7, root)):
        with pytest.raises(InputError, match="is cut off or damaged"):
            run(_spec(file), tmp_path)


def test_other_architectures_and_tokens_without_an_embedding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.gguf: must be"):
        check_language(_spec(write_gguf(tmp_path / "a.gguf", arch="nobodys"), "nobodys"), tmp_path)
    with pytest.raises(InputError, match="every token must have a trained embedding"):
        check_language(_spec(write_gguf(tmp_path / "b.gguf", rows=100)), tmp_path)
