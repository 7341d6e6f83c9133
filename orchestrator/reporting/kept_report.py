"""Keep the report of a study on storage, and show it again as long as nothing that it rests on has changed.

To build the report of 5,000 trials takes most of a minute: tens of thousands of files of scores are read, and every
pair of arms is compared; that of a dozen takes a second, most of it for loading statistics. What a report rests on is
known from the ledger, which is read each time, and from size and time of the files that it names.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from functools import cache

from pydantic import ConfigDict, TypeAdapter, ValidationError

from orchestrator.reporting.report_model import Report
from orchestrator.state.ledger import Ledger, has_changed_scores, read_ledger
from orchestrator.state.looks import LookCommand
from orchestrator.state.program import program_fingerprint
from orchestrator.state.runs import compared_runs
from search_spaces.error_text import first_line
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage import layout
from trainables.storage.store import Store

KEPT_FROM_TRIALS = 10
"""Trials from which on a report is kept. Those of smaller studies are built in a second or two."""

logger = logging.getLogger(__name__)


def report_of(
    study: Study,
    plan: Plan,
    store: Store,
    ledger: Ledger | None = None,
    command: LookCommand = "report",
    results: str | None = None,
) -> Report:
    """Return the report of a study: that which storage keeps, or a new one where something has changed since.

    Args:
        study: whose report it is.
        plan: of the study.
        store: where its results lie.
        ledger: of the plan, where it was just read.
        command: that shows the report.
        results: digest of what it rests on in results, where `current_results` has just found it with the same ledger.
    """
    ledger = ledger or read_ledger(plan, store)
    is_kept = len(plan.trials) >= KEPT_FROM_TRIALS
    kept = _read(store, plan.study, _basis(study, plan, store, ledger, results)) if is_kept else None
    if kept is not None:
        return kept
    from orchestrator.reporting.build import build_report  # SciPy, which whoever is shown a kept report does not need

    report = build_report(study, plan, store, ledger, command)  # writes down that its hypotheses were looked at,
    if not is_kept or has_changed_scores(ledger, store):
        return report  # a run that is told to show it must find out, and score anew
    basis = _basis(study, plan, store, ledger)  # and rests on that, too
    try:
        store.put(layout.kept_report(plan.study), _adapter().dump_json((basis, report)))
    except OSError as error:  # a storage that can only be read, or is full: the report is there all the same
        logger.warning("the report is not kept: %s", first_line(error))
    return report


def current_results(study: Study, plan: Plan, store: Store, ledger: Ledger) -> str | None:
    """Digest the results of a finished study, if storage keeps the report of just these; else None.

    Where it does, no content of scores is read for the report again.

    Args:
        study: whose report it is.
        plan: of the study.
        store: where its results lie.
        ledger: of the plan, as it was just read.
    """
    if len(plan.trials) < KEPT_FROM_TRIALS or not ledger.is_finished:
        return None
    name = layout.kept_report(plan.study)
    if not store.exists(name):
        return None
    results = _digest(_results(plan, store, ledger))
    return results if _rests_on(store.get(name), _basis(study, plan, store, ledger, results)) else None


def _read(store: Store, study: str, basis: str) -> Report | None:
    """Read the report that is kept; None if there is none, it is damaged, or it rests on something else."""
    name = layout.kept_report(study)
    if not store.exists(name):
        return None
    content = store.get(name)
    if not _rests_on(content, basis):
        return None
    try:
        return _adapter().validate_json(content, strict=True)[1]
    except ValidationError as error:
        logger.warning("%s: %s; the report is built again", store.place(name), first_line(error))
        return None


def _rests_on(content: bytes, basis: str) -> bool:
    return content.startswith(f'["{basis}",'.encode()) and content.endswith(b"]")


@cache
def _adapter() -> TypeAdapter[tuple[str, Report]]:
    config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")
    return TypeAdapter(tuple[str, Report], config=config)


def _basis(study: Study, plan: Plan, store: Store, ledger: Ledger, results: str | None = None) -> str:
    """Digest everything that a report rests on; `results` is the digest of the results, if it is known."""
    return _digest([results or _digest(_results(plan, store, ledger)), *_documents(study, plan, store, ledger)])


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def _results(plan: Plan, store: Store, ledger: Ledger) -> Iterator[str]:
    """Say of all results what changes with them: tens of thousands of files, which only trials write."""
    yield from (trial.id for trial in plan.trials)
    yield from map(repr, plan.needed_digests().items())
    yield from map(repr, ledger.trials.values())
    for results in (ledger.evaluations, ledger.samples, ledger.blind):
        for trial, name in results:
            yield f"{trial} {name}"
            yield from (_facts(store, file) for file in results.files(trial, name))
    for node in plan.nodes.values():
        if node.kind == "stage" and node.key is not None:
            yield from (_facts(store, name) for name in (layout.stage_result(node.key), layout.stage_curve(node.key)))


def _documents(study: Study, plan: Plan, store: Store, ledger: Ledger) -> Iterator[str]:
    """Say of all else that a report shows what changes with it: a few files, which any command may write."""
    yield program_fingerprint()
    yield f"{plan.study} {plan.digest} {study.question!r} {study.hypotheses!r}"
    for name in (*store.list(layout.claims_folder(plan.study)), *store.list(layout.looks_folder(plan.study))):
        yield _facts(store, name)
    yield _facts(store, layout.noise_floor(plan.study))
    yield _facts(store, layout.DIGESTS)
    yield from (f"{run.nonce} {run.forecast!r} {run.usage!r}" for run in compared_runs(store, plan.study))
    yield from store.folders(layout.superseded_trials(plan.study))
    yield from ledger.removed


def _facts(store: Store, name: str) -> str:
    """Say of a file what changes whenever somebody writes to it."""
    try:
        return f"{name} {store.facts(name)}"
    except FileNotFoundError:
        return f"{name} is not there"
