"""An overview says of every study on a storage how far it is, who runs it, and what it takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.storage.studies import StudyOverview, overview, overview_json
from tests.support.several_studies import begin, checkpoint, declare, finish
from tests.support.small_records import failure
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import write
from trainables.storage.records import RunRecord
from trainables.storage.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty storage below the folder of the study files."""
    return LocalStore(tmp_path / "s")


def _of(store: LocalStore, study: str) -> StudyOverview:
    return next(each for each in overview(store).studies if each.study == study)


def _size(store: LocalStore, *folders: str) -> int:
    return sum(store.facts(name).size for folder in folders for name in store.list(folder))


def test_overview_of_an_empty_storage_has_no_study(store: LocalStore) -> None:
    assert overview(store).studies == ()


def test_states_of_studies_are_told_apart(store: LocalStore) -> None:
    finish(store, declare(store, "whole", (4, 5)).plan)
    part, broken = declare(store, "part", (4, 6)), declare(store, "broken", (4, 7))
    finish(store, part.plan, [part.trial(4, 7)])
    begin(store, broken.plan, broken.trial(7, 7))
    write(store, layout.trial_failure("broken", broken.trial(7, 7).id), failure(broken.trial(7, 7).id))
    store.put(layout.plan_file("damaged"), b"{")
    found = {each.study: (each.state, each.done, each.trials, each.failed) for each in overview(store).studies}
    assert found == {
        "whole": ("finished", 2, 2, 0),
        "part": ("half-done", 1, 2, 0),
        "broken": ("failed", 0, 2, 1),
        "damaged": ("unreadable", 0, 0, 0),
    }
    assert "plan.json" in (_of(store, "damaged").problem or "")


def test_a_damaged_failure_counts_as_none_and_is_named(store: LocalStore, caplog: pytest.LogCaptureFixture) -> None:
    broken = declare(store, "broken", (4, 7))
    begin(store, broken.plan, broken.trial(7, 7))
    name = layout.trial_failure("broken", broken.trial(7, 7).id)
    store.put(name, b"{")
    assert (_of(store, "broken").state, _of(store, "broken").failed) == ("half-done", 0)
    assert store.place(name) in caplog.text


def test_a_study_runs_while_a_living_process_has_it_and_no_longer(store: LocalStore) -> None:
    study, here = declare(store, "small", (4, 5)), Owner.here()
    begin(store, study.plan, study.trial(4, 7))
    write(
        store, layout.run_record("small", "abc"), RunRecord("abc", here.host, here.pid, "ada@login1", 5, "ablate run")
    )
    dead = replace(here, started=1.0)
    assert store.lease(layout.run_lease("small", "abc"), dead)
    assert store.lease(layout.trial_lease("small", study.trial(4, 7).id), dead)
    killed = _of(store, "small")
    assert (killed.state, killed.running, killed.runs) == ("half-done", 0, ())
    assert killed.last is not None
    assert killed.last.ended is None
    assert store.lease(layout.run_lease("small", "abc"), here)
    assert store.lease(layout.trial_lease("small", study.trial(4, 7).id), here)
    running = _of(store, "small")
    assert (running.state, running.running) == ("running", 1)
    assert running.runs[0].startswith(f"ada@login1 on {here.host}")
    assert overview(store).studies[0].study == "small"


def test_sizes_count_what_studies_share_once_in_all_and_never_as_exclusive(store: LocalStore) -> None:
    one, two = declare(store, "one", (4, 5)), declare(store, "two", (4, 6))
    for study in (one, two):
        finish(store, study.plan)
    checkpoint(store, two.trial(6, 7).stage_nodes(two.plan)[-1].key or "")
    shown = overview(store)
    both = {each.study: each for each in shown.studies}
    stages = {
        name: {node.key for node in study.plan.nodes.values() if node.kind == "stage"}
        for name, study in (("one", one), ("two", two))
    }
    shared = stages["one"] & stages["two"]
    assert len(shared) == 2  # align, and the arm that both have
    own = _size(store, "studies/two", *(layout.stage_folder(key or "") for key in stages["two"] - shared))
    scores = _size(store, "evaluations")
    assert own <= both["two"].exclusive_bytes <= own + scores
    total = _size(store, "studies", "stages", "features", "evaluations")
    assert shown.referred_bytes == total
    assert both["one"].size_bytes + both["two"].size_bytes > total
    assert both["one"].exclusive_bytes + both["two"].exclusive_bytes < total


def test_trials_that_left_a_study_are_counted(store: LocalStore) -> None:
    finish(store, declare(store, "small", (4, 5)).plan)
    declare(store, "small", (4,))
    assert (_of(store, "small").state, _of(store, "small").gone) == ("finished", 1)


def test_a_benchmark_that_is_not_scored_yet_leaves_a_study_half_done(store: LocalStore) -> None:
    study = declare(store, "small", (4,))
    finish(store, replace(study.plan, benchmarks=study.plan.benchmarks[:1]))
    assert _of(store, "small").state == "half-done"


def test_the_json_of_an_overview_is_plain(store: LocalStore) -> None:
    finish(store, declare(store, "small", (4, 5)).plan)
    plain = json.loads(json.dumps(overview_json(overview(store))))
    assert plain["studies"][0]["state"] == "finished"
