"""Read the header of a GGUF file: its fields, and the names, types and sizes of its tensors. No torch."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular
from trainables.model.tensor_files import check_content


class GgufHeader(NamedTuple):
    """What a GGUF file says of its model."""

    fields: dict[str, Any]
    """Scalar fields by name."""
    tokens: int
    """Number of tokens of its tokenizer; 0 if it has none."""
    sizes: dict[str, int]
    """Number of values of each tensor by name."""

    @property
    def family(self) -> str:
        """Name of the architecture."""
        return str(self.fields["general.architecture"])


def gguf_file(path: Path) -> Path | None:
    """Return the GGUF file that a path is or stands for; None for a folder in the hub's form.

    Raises InputError for a folder of several GGUF files.
    """
    if path.is_file():
        return path
    if (path / "config.json").exists():
        return None
    files = sorted(path.glob("*.gguf"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise InputError(
            f"one GGUF file must be named, but there are {names}", place=str(path), way_out=f"path:.../{files[0].name}"
        )
    return files[0] if files else None


def gguf_header(file: Path) -> GgufHeader:
    """Read the header of a GGUF file, and check that all of its tensors are there.

    Raises:
        InputError: it is no GGUF file, is cut off, is one of several parts, or the package `gguf` is not installed.
    """
    check_content(file)
    return _header(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _header(file: Path, mtime_ns: int) -> GgufHeader:
    """Read a header once; `mtime_ns` keeps the cache from answering for a changed file."""
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError:
        raise InputError(
            "reading a GGUF file needs the package gguf", place=str(file), way_out="pip install 'ablate-vlm[gguf]'"
        ) from None
    with open_regular(file) as opened:
        start = opened.read(4)
    if start != b"GGUF":
        raise InputError(f"must be a GGUF file, but begins with {start!r}", place=str(file))
    try:
        reader = GGUFReader(file)
        fields = {name: field.contents() for name, field in reader.fields.items() if len(field.types) == 1}
        tokens = reader.fields.get("tokenizer.ggml.tokens")
        sizes = {tensor.name: int(tensor.n_elements) for tensor in reader.tensors}
        family = str(fields["general.architecture"])
        int(fields[f"{family}.embedding_length"])
    except Exception as error:  # of a reader that trusts the file: any of numpy's and Python's own
        size = file.stat().st_size
        law = f"must be a complete GGUF file of a language model, but is cut off or damaged ({size:,} bytes)"
        raise InputError(
            law, place=str(file), way_out="Fetch the file again: its size must be its source's."
        ) from error
    if int(fields.get("split.count", 1)) > 1:
        law = f"must be one file, but is one of {fields['split.count']} parts"
        raise InputError(law, place=str(file), way_out="Join them with `llama-gguf-split --merge`.")
    return GgufHeader(fields, 0 if tokens is None else len(tokens.data), sizes)
