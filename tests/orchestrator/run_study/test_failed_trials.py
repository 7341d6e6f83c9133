"""A failed trial is tried again by a command; nothing has to be deleted for that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.planning.planned import PlanOptions, RunOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.state.ledger import read_ledger
from orchestrator.state.retries import remember_retries
from search_spaces.outcomes import FailureKind
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from tests.support.command_line import SMALL, ablate
from tests.support.small_records import failure
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore


def _plan(file: Path, store: LocalStore) -> Plan:
    options = RunOptions(PlanOptions(store.root, store.root / "sources", toy=True)).plan
    return plan(expand(load_study(str(file)), options), options, known_digests(store))


def _fail(store: LocalStore, planned: Plan, kind: FailureKind) -> str:
    """Have the first trial of a finished study have failed instead."""
    trial = planned.trials[0].id
    store.remove(layout.trial_result(planned.study, trial))
    write(store, layout.trial_failure(planned.study, trial), failure(trial, kind=kind, message="no luck"))
    return trial


@pytest.mark.ray
def test_a_failed_trial_is_tried_again_and_one_that_failed_twice_alike_when_that_is_asked_for(tmp_path: Path) -> None:
    file, store = tmp_path / "small.yaml", LocalStore(tmp_path / "s")
    file.write_text(SMALL.replace("[gelu-mlp, linear]", "[gelu-mlp]").replace("easy-vqa\n", "[easy-vqa-shape]\n"))
    command = ("run", str(file), "--toy", "--offline")
    ablate(*command, storage=store.root)
    planned = _plan(file, store)

    trial = _fail(store, planned, "error")
    assert "1 failed" in ablate(*command, storage=store.root).stdout  # once by itself
    assert not store.exists(layout.trial_failure(planned.study, trial))

    _fail(store, planned, "error")
    remember_retries(planned, read_ledger(planned, store), store)  # as the run above would have, had it failed again
    alone = ablate(*command, storage=store.root, check=1)
    assert "failed twice alike" in alone.stdout
    assert "--retry-failed" in alone.stdout
    assert "started" not in alone.stdout
    again = json.loads(ablate(*command, "--retry-failed", "--json", storage=store.root).stdout)
    assert again["difference"]["counts"]["failed"] == 1
    assert again["counts"]["done"] == 1
