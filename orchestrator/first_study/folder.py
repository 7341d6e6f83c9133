"""Make the folder of a first study: checked before anything of it is written."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand
from search_spaces.errors import InputError
from search_spaces.expansion.expand import Expansion
from search_spaces.names import LONGEST, slug_of
from search_spaces.study_files import STUDY_FILE, find_study, load_study
from search_spaces.yaml_source import read

README = "README.md"


def study_name(folder: Path) -> str:
    """Name a study after its folder, short enough for names that begin with it."""
    return slug_of(folder.absolute().name)[: LONGEST // 2].rstrip("-._+")


def require_new(folder: Path) -> None:
    """Raise InputError if there is anything at a path but an empty folder."""
    if folder.is_dir():
        there = sorted(path.name for path in folder.iterdir())
        if not there:
            return
        what = f"{there[0]!r} is in it" if len(there) == 1 else f"{there[0]!r} and {len(there) - 1} more are in it"
    elif os.path.lexists(folder):
        what = "it is a file"
    else:
        return
    law = f"must be an empty folder, or not be there yet, but {what}"
    raise InputError(law, key="FOLDER", place=str(folder), way_out="Name a new folder: nothing is written over.")


def expanded(files: Mapping[str, str], options: PlanOptions) -> Expansion:
    """Load and expand the study of some files, which are written to no folder that stays.

    Args:
        files: name -> text; one of them is the study.
        options: where storage and data are.

    Raises:
        InputError: everything that is wrong with the study.
    """
    with tempfile.TemporaryDirectory(prefix="ablate-init-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return expand(load_study(str(Path(folder) / STUDY_FILE)), options, remembers=False)


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, each aside and then renamed; the folder is made if it is not there.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            aside = folder / f"{name}.aside"
            aside.write_text(text, encoding="utf-8")
            aside.replace(folder / name)
    except OSError as error:
        raise InputError(
            f"must be a folder to write to, but {error.strerror}", place=str(folder), key="FOLDER"
        ) from error


def copied(study: str, name: str) -> dict[str, str]:
    """Copy the text of a study under another name, with the files that it extends by their bare names.

    Args:
        study: a study file, or the name of a shipped study.
        name: of the copy.
    """
    path = find_study(study)
    text = path.read_text(encoding="utf-8")
    own, count = re.subn(r"^study:[ \t]*\S+", f"study: {name}", text, count=1, flags=re.MULTILINE)
    if not count:
        own = f"study: {name}\n{text}"
    return {STUDY_FILE: own, **_extended(path)}


def _extended(path: Path) -> dict[str, str]:
    """Read the files that a study extends, as long as they are named without a folder: they may lie beside the copy."""
    document = read(path).value
    parent = document.get("extends") if isinstance(document, dict) else None
    beside = path.parent / str(parent)
    if not isinstance(parent, str) or Path(parent).name != parent or not beside.is_file():
        return {}
    return {parent: beside.read_text(encoding="utf-8"), **_extended(beside)}
