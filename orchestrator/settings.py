"""Find the storage root and the data folder from flags and the environment, always as absolute paths."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from cluster.connect import PACKAGES
from search_spaces.errors import InputError
from trainables.storage import layout

USUAL_STORAGE = Path("~/.ablate")
"""Storage root where neither `--storage` nor ABLATE_STORAGE names another."""


def storage_root(flag: Path | None) -> Path:
    """Choose the storage root and make it.

    Raises:
        InputError: if it cannot be written, or lies in a job's working directory, which is a copy that vanishes.
    """
    root = chosen_root(flag)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the storage root must be writable, but {error.strerror}", place=str(root)) from error
    return root


def existing_storage(flag: Path | None) -> Path:
    """Choose the storage root of a command that only reads: nothing is made.

    Raises:
        InputError: if there is no such folder, or it lies in a job's working directory.
    """
    root = chosen_root(flag)
    if not os.path.isdir(root):  # unlike Path.is_dir, it never raises
        what = "there is a file" if os.path.exists(root) else "nothing is there"
        raise InputError(
            f"the storage to read from must be a folder, but {what}",
            place=str(root),
            way_out="Name the storage of a run with --storage or ABLATE_STORAGE; `ablate run` makes one.",
        )
    return root


def chosen_root(flag: Path | None) -> Path:
    """Choose the absolute storage root: `--storage`, else ABLATE_STORAGE, else ~/.ablate; it need not be there.

    Raises:
        InputError: if it lies in a job's working directory, which is a copy that vanishes.
    """
    root = (flag or Path(os.environ.get("ABLATE_STORAGE") or USUAL_STORAGE)).expanduser().absolute()
    if "/runtime_resources/working_dir_files/" in f"{root}/":
        raise InputError(
            "the storage root must outlive the job, but it lies in the job's copy of the working directory",
            place=str(root),
            way_out="Give an absolute path that every node sees, with --storage or ABLATE_STORAGE.",
        )
    return root


def data_root(flag: Path | None, storage: Path) -> Path:
    """Choose the data folder: `--data`, else ABLATE_DATA, else the folder `sources` of the storage root."""
    given = flag or (Path(os.environ["ABLATE_DATA"]) if os.environ.get("ABLATE_DATA") else storage / layout.SOURCES)
    return given.expanduser().absolute()


def refuse_foreign_packages() -> None:
    """Refuse to run when Python finds a package of somebody else under one of our names, which are common words."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            raise InputError(
                f"the package {name!r} must be the one beside {home / 'orchestrator'}, but Python finds another",
                place=str(origin or "nowhere"),
                way_out="Remove it from PYTHONPATH or the environment, or run from another directory.",
            )
