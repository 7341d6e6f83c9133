"""Make the folder of a first study: checked before anything of it is written."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand
from search_spaces.errors import InputError
from search_spaces.expansion.expand import Expansion
from search_spaces.identity import text_digest
from search_spaces.names import LONGEST, slug_of
from search_spaces.study_files import load_study, study_of
from search_spaces.study_layers import StudyLayers
from search_spaces.yaml_source import parse
from trainables.storage import layout
from trainables.storage.store import Store

README = "README.md"
_DIGITS = 6
"""Of a digest in a name."""


def study_name(folder: Path, store: Store) -> str:
    """Name a study after its folder, short enough for names that begin with it.

    Letters and digits that a name cannot have make it end in a digest: names of other folders remain other names.

    Args:
        folder: of the study.
        store: that will hold its results.

    Raises:
        InputError: the storage has a study of this name, whose place the new one would take.
    """
    own = unicodedata.normalize("NFKC", folder.absolute().name)
    name = slug_of(own)[: LONGEST // 2].rstrip("-._+")
    if any(letter.isalnum() and not letter.isascii() for letter in own):
        name = f"{name}-{text_digest(own)[:_DIGITS]}"
    there = [known for known in store.folders(layout.STUDIES) if known.casefold() == name.casefold()]
    if there:
        law = f"must give a study a name that its storage does not have, but {store.place('')} has {there[0]!r}"
        raise InputError(law, key="FOLDER", way_out="Name another folder, or another --storage.")
    return name


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


def expanded(text: str, place: str, options: PlanOptions) -> Expansion:
    """Load and expand a study that lies in no file yet and extends none.

    Args:
        text: of the study.
        place: where it will lie, for what is said about it.
        options: where storage and data are.

    Raises:
        InputError: everything that is wrong with the study.
    """
    return expand(study_of(StudyLayers(None, parse(text, place))), options, remembers=False)


def expanded_copy(files: Mapping[str, str], options: PlanOptions) -> Expansion:
    """Load and expand the study among some files, which are written to no folder that stays.

    Args:
        files: name -> text; the copy of a study that can be expanded.
        options: where storage and data are.
    """
    with tempfile.TemporaryDirectory(prefix="ablate-init-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return expand(load_study(folder), options, remembers=False)


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
