"""Compare a study with what storage holds of it, before anything runs: `ablate run` and its dry run begin so."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from orchestrator.planning.planned import RunOptions, expand, plan
from orchestrator.planning.preflight import Digests, current_digests, known_digests
from orchestrator.planning.selection import selected_trials
from orchestrator.reporting.kept_report import current_results
from orchestrator.state.difference import Difference, compare
from orchestrator.state.ledger import Ledger, has_changed_scores, read_ledger
from orchestrator.state.retries import left_alone
from search_spaces.expansion.expand import Expansion
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import LocalStore, Store


class BesideStorage(NamedTuple):
    """A study beside what storage holds of it."""

    plan: Plan
    ledger: Ledger
    difference: Difference
    results: str | None
    """Digest of the results, where the kept report rests on just these (`current_results`)."""


def preview(study: Study, options: RunOptions) -> tuple[Plan, Difference, tuple[str, ...]]:
    """Compare a study with storage as a run does, without writing anything, starting Ray or reading data.

    Args:
        study: that would be run.
        options: of the command line.

    Returns:
        The plan, the difference, and the names of data and weights that are to be read first: what follows from their
        content is not known yet.
    """
    store = LocalStore(options.plan.storage)
    expansion = expand(study, options.plan, remembers=False)
    selected = selected_trials(expansion, options.only, options.plan.limit)
    known, unread = current_digests(
        expansion.specs(selected=selected), expansion.evaluation_sets, store, options.plan.data
    )
    beside = beside_storage(study, expansion, selected, known, store, options)
    return beside.plan, beside.difference, unread


def beside_storage(
    study: Study, expansion: Expansion, selected: Collection[str], known: Digests, store: Store, options: RunOptions
) -> BesideStorage:
    """Plan a study, read what storage holds of it, and compare the two.

    Where the report of just this is kept, sizes and headers are all that is read of scores; else every byte, as the
    report will read it.

    Args:
        study: that would be run.
        expansion: of the study.
        selected: ids of the trials that are to be done.
        known: digests and counts of the data and weights that these need; of others, what was found earlier holds.
        store: the storage.
        options: of the command line.
    """
    planned = plan(expansion, options.plan, known.over(known_digests(store)) if options.only else known)
    ledger = read_ledger(planned, store, restores_weights=options.restore_weights)
    results = current_results(study, planned, store, ledger)
    if results is None and has_changed_scores(ledger, store):
        ledger = read_ledger(planned, store, "content", restores_weights=options.restore_weights)
    starts_all = options.retry_failed or options.rehearsals == "only"  # a rehearsal is no other attempt at a trial
    alone = {} if starts_all else left_alone(planned, ledger, store)
    todo = {trial for trial in selected if ledger.trials[trial].state != "done"}
    return BesideStorage(planned, ledger, compare(planned, ledger, store, todo, alone), results)
