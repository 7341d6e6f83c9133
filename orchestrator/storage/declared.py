"""List the trials that the study files on storage declare: a limited run plans some of them only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand
from orchestrator.storage.references import References
from search_spaces.errors import InputError, Problems
from search_spaces.expansion.expand import stored_name
from search_spaces.study_files import load_study
from trainables.storage import layout
from trainables.storage.store import Store


def declared_trials(
    store: Store, root: Path, references: References, *, every: bool, keep: Collection[str] = ()
) -> dict[str, frozenset[str]]:
    """List the ids of all trials that the study files on storage declare, by study.

    Args:
        store: the storage.
        root: its absolute path.
        references: of all studies of the storage.
        every: of every study with a plan; else only of those with trials that their plan does not have.
        keep: names of studies of which nothing is removed in any case.

    Raises:
        InputError: a study file is gone, damaged or cannot be expanded any more: which arms were removed is not known.
    """
    unplanned = {trial.study for trial in references.trials if not trial.is_planned and not trial.is_superseded}
    studies = (unplanned - set(keep)) | (references.plans.keys() if every else set())
    declared, problems = {}, Problems()
    for study in sorted(studies):
        with problems.collected():
            declared[study] = _declared(store, root, study)
    problems.raise_all()
    return declared


def _declared(store: Store, root: Path, study: str) -> frozenset[str]:
    name = layout.study_file(study)
    if not store.exists(name):
        raise InputError(
            "a study must have its file to tell which of its arms were removed, but it is not there",
            place=store.place(name),
            way_out=f"Run the study again, or keep all of it: --keep {study}",
        )
    loaded = load_study(store.place(name))
    options = PlanOptions(root, root / layout.SOURCES, toy=study == stored_name(loaded, toy=True))
    return frozenset(draft.id for drafts in expand(loaded, options).trials for draft in drafts)
