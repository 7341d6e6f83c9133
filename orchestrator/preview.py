"""Compare a study with what storage holds of it, before anything runs: `ablate run` and its dry run begin so."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.planning.planned import RunOptions, expand, plan
from orchestrator.planning.preflight import Digests, current_digests, known_digests
from orchestrator.planning.selection import selected_trials
from orchestrator.reporting.kept_report import is_report_current
from orchestrator.state.difference import Difference, compare
from orchestrator.state.ledger import Ledger, has_changed_scores, read_ledger
from orchestrator.state.retries import left_alone
from search_spaces.expansion.expand import Expansion
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import LocalStore, Store


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
    planned, _, difference = beside_storage(study, expansion, selected, known, store, options)
    return planned, difference, unread


def beside_storage(
    study: Study, expansion: Expansion, selected: Collection[str], known: Digests, store: Store, options: RunOptions
) -> tuple[Plan, Ledger, Difference]:
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
    if not is_report_current(study, planned, store, ledger) and has_changed_scores(ledger, store):
        ledger = read_ledger(planned, store, "content", restores_weights=options.restore_weights)
    starts_all = options.retry_failed or options.rehearsals == "only"  # a rehearsal is no other attempt at a trial
    alone = {} if starts_all else left_alone(planned, ledger, store)
    todo = {trial for trial in selected if ledger.trials[trial].state != "done"}
    return planned, ledger, compare(planned, ledger, store, todo, alone)
