"""Load a study by what the command line calls it, which may be the name of a study on storage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.state.documents import stored_studies, stored_study_file
from search_spaces.errors import InputError, nearest
from search_spaces.study import Study
from search_spaces.study_files import find_study, load_study
from trainables.storage.store import LocalStore


def named_study(name: str, storage: Path, overrides: Sequence[str] = ()) -> Study:
    """Load a study: a file or its folder, a shipped one, or the one that a storage has under a name, as it ran last.

    Args:
        name: as the command line has it.
        storage: absolute root of the storage; it need not be there.
        overrides: `KEY=VALUE` texts, laid over the study.

    Raises:
        InputError: there is no such study, or what is wrong with it.
    """
    try:
        find_study(name)
    except InputError as error:
        store = LocalStore(storage)
        stored = stored_study_file(store, name)
        if stored is None:
            way_out = nearest(name, stored_studies(store)) or error.way_out
            raise InputError(error.law, place=error.place, key=error.key, way_out=way_out) from error
        return load_study(str(stored), overrides)
    return load_study(name, overrides)
