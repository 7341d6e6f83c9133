"""What was asked for, as a run has left it beside its trials: the resolved study and its plan, for people to read."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ConfigDict, RootModel

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.store import Store


class PlanDocument(RootModel[dict[str, Any]]):
    """`studies/<study>/plan.json`: a plan as plain values. This program takes none of them back."""

    model_config = ConfigDict(frozen=True)


def study_documents(store: Store, study: str) -> dict[str, str]:
    """Read the text of `study.yaml` and `plan.json` of a study, those that are there.

    Raises:
        InputError: one of them is damaged; it is not handed on as if it were what was asked for.
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
        found = "it holds none"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = str(error)
    raise InputError(
        f"must be a study in YAML as this program writes it, but {found}",
        place=store.place(name),
        way_out="Remove the file and run the study again; everything else is kept.",
    )
