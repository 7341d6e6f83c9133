"""Give every rank of a group the files of a checkpoint's tokenizer, also where its machine has no such checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from trainables.model.gguf_files import gguf_file
from trainables.model.weights import find_weights, local_weights
from trainables.workers.process_group import from_all_ranks, from_rank_0

_SENT = ("*.json", "*.jinja", "*.model", "*.txt")
"""Names of configurations, tokenizers' files and chat templates. Weights of other frameworks have many others."""

_LARGEST_BYTES = 128 << 20
"""Of a file that is sent. Tokenizers of 256,000 tokens have files of 35 MB."""


@contextmanager
def tokenizer_files(origin: str, data_root: Path) -> Iterator[Path]:
    """Yield a path that a tokenizer can be read from while the block runs. A collective.

    Rank 0 looks for the checkpoint, and fetches it where it is nowhere. A rank on another machine that has no copy of
    it takes the small files from rank 0, some megabytes: it would else fetch all weights, or fail without a network. A
    GGUF file has its tokenizer in it, so every machine needs that file.

    Args:
        origin: of the language model's checkpoint, as ``hub:ORG/NAME@REV``.
        data_root: folder that origins are relative to.

    Raises:
        InputError: rank 0 finds the checkpoint nowhere, or another rank a GGUF file.
    """
    has_files = from_rank_0(lambda: _is_folder_of_files(find_weights(origin, data_root)))
    if not has_files or None not in from_all_ranks(lambda: local_weights(origin, data_root)):
        yield find_weights(origin, data_root)
        return
    files = from_rank_0(lambda: _small_files(find_weights(origin, data_root)))
    with TemporaryDirectory(prefix="ablate-tokenizer-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        yield Path(folder)


def _is_folder_of_files(path: Path) -> bool:
    """Check whether the tokenizer of a checkpoint is in files of its own."""
    return gguf_file(path) is None


def _small_files(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder that a tokenizer may need, by their names."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if _is_sent(path)}


def _is_sent(path: Path) -> bool:
    is_named_so = any(fnmatch(path.name, pattern) for pattern in _SENT)
    return is_named_so and path.is_file() and path.stat().st_size <= _LARGEST_BYTES
