"""Read the resolved study and the plan that a run has written beside its trials, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, RootModel

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.store import LocalStore, Store


class PlanDocument(RootModel[dict[str, Any]]):
    """The file `plan.json` of a study: a plan as plain values. This program makes no plan of them."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class PlannedStudy:
    """The section `study` of a `plan.json`."""

    digest: str | None = None


@dataclass(frozen=True)
class PlanHeader:
    """The part of the file `plan.json` of a study that tells which version of the study it is of."""

    study: PlannedStudy = PlannedStudy()


def require_own_folder(store: Store, study: str) -> None:
    """Raise InputError if a name differs from that of another study of the storage in case alone.

    Where file systems do not tell them apart, and a copy of a storage may come to such a one, both would be one study.
    """
    others = [name for name in store.folders(layout.STUDIES) if name.casefold() == study.casefold() and name != study]
    if others:
        raise InputError(
            f"the name of a study must differ from others of its storage in more than case, but {others[0]!r} is there",
            key="study",
            way_out=f"Call it {others[0]!r}, or something else.",
        )


def stored_studies(store: Store) -> list[str]:
    """List the names of a storage that commands take for a study; damaged ones are among them.

    The toy form of a study is kept as the study that it is the toy form of: it goes by that name and `--toy`.
    """
    return [name for name in store.folders(layout.STUDIES) if _goes_by_its_name(store, name)]


def stored_study_file(store: LocalStore, name: str) -> Path | None:
    """Find the study that a storage has under a name, as it ran last; None where it has none, or a toy form."""
    file = file_of_last_run(store, name)
    return file if file is not None and _goes_by_its_name(store, name) else None


def file_of_last_run(store: LocalStore, planned: str) -> Path | None:
    """Find the study, as it was written, of the last run of a study or of its toy form; None where there was none.

    Args:
        store: where the run was.
        planned: name of the study, for a toy form with `-toy` after it.

    Raises:
        InputError: the file is damaged.
    """
    if planned not in store.folders(layout.STUDIES) or not store.exists(layout.study_file(planned)):
        return None
    _study_text(store, layout.study_file(planned))
    return store.reading(layout.study_file(planned))


def _goes_by_its_name(store: Store, name: str) -> bool:
    if not store.exists(layout.study_file(name)):
        return False
    try:
        return bool(yaml.safe_load(_study_text(store, layout.study_file(name))).get("study") == name)
    except InputError:
        return True


def study_documents(store: Store, study: str) -> dict[str, str]:
    """Read the text of `study.yaml` and `plan.json` of a study, those that are there.

    Raises:
        InputError: one of them is damaged; it is not passed on as if it were what the run was given.
    """
    documents = {}
    if store.exists(layout.study_file(study)):
        documents["study.yaml"] = _study_text(store, layout.study_file(study))
    if read(store, layout.plan_file(study), PlanDocument) is not None:
        documents["plan.json"] = store.get(layout.plan_file(study)).decode()
    return documents


def _study_text(store: Store, name: str) -> str:
    text = store.get(name)
    try:
        if isinstance(yaml.safe_load(text), dict):
            return text.decode()
        problem = "it holds none"
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = str(error)
    raise InputError(
        f"must be a study in YAML as this program writes it, but {problem}",
        place=store.place(name),
        way_out="Remove the file and run the study again; everything else is kept.",
    )
