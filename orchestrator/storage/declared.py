"""List the trials that the study files on storage declare: a limited run plans some of them only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.storage.references import References
from search_spaces.errors import InputError, Problems
from search_spaces.expansion.expand import stored_name
from search_spaces.study_files import load_study
from trainables.storage import layout
from trainables.storage.store import Store


@dataclass(frozen=True)
class DeclaredTrials:
    """Trials that a study file declares."""

    ids: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    """Keys of the stages of all of them, where the plan on storage does not have them all."""


def declared_trials(
    store: Store, root: Path, references: References, *, every: bool, keep: Collection[str] = ()
) -> Mapping[str, DeclaredTrials]:
    """List the trials that the study files on storage declare, by study.

    Args:
        store: the storage.
        root: its absolute path.
        references: of all studies of the storage.
        every: of every study with a plan; else only of those with trials that their plan does not have.
        keep: names of studies of which nothing is removed in any case.

    Raises:
        InputError: a study file is gone, damaged or cannot be expanded any more, or its data have not been read: which
            arms were removed, and what the others need, is not known.
    """
    unplanned = {trial.study for trial in references.trials if not trial.is_planned and not trial.is_superseded}
    studies = (unplanned - set(keep)) | (references.plans.keys() if every else set())
    declared, problems = {}, Problems()
    for study in sorted(studies):
        planned = {trial.id for trial in references.plans[study].trials} if study in references.plans else set()
        with problems.collected():
            declared[study] = _declared(store, root, study, planned)
    problems.raise_all()
    return declared


def _declared(store: Store, root: Path, study: str, planned: Collection[str]) -> DeclaredTrials:
    """List the trials of one study file.

    Args:
        store: the storage.
        root: its absolute path.
        study: its name.
        planned: ids of the trials that the plan on storage has.
    """
    name = layout.study_file(study)
    if not store.exists(name):
        raise InputError(
            "a study must have its file to tell which of its arms were removed, but it is not there",
            place=store.place(name),
            way_out=f"Run the study again, or keep all of it: --keep {study}",
        )
    loaded = load_study(store.place(name))
    options = PlanOptions(root, root / layout.SOURCES, toy=study == stored_name(loaded, toy=True))
    expansion = expand(loaded, options)
    ids = frozenset(draft.id for drafts in expansion.trials for draft in drafts)
    if ids <= set(planned):
        return DeclaredTrials(ids)
    nodes = [node for node in plan(expansion, options, known_digests(store)).nodes.values() if node.kind == "stage"]
    missing = sorted({name for node in nodes for name in node.missing})
    if missing:
        raise InputError(
            f"what all arms of a study need must be known, but {missing[0]} has not been read",
            place=store.place(name),
            way_out="Run the study without --limit and --only, or take the arms that are not wanted out of its file.",
        )
    return DeclaredTrials(ids, frozenset(node.key for node in nodes if node.key is not None))
