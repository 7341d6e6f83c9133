"""Every kind of progress can be written as a result of Ray Tune, and read again."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from search_spaces.outcomes import NodeDone, Progress, Started, TrialDone, UnitDone
from trainables.workers.tune_result import TuneResult, read_result, write_result

EVENTS = [
    Started(fresh_group=True),
    UnitDone("n1", "finetune", 3, 10, loss=None, rate=2.5, eta_s=2.8),
    NodeDone("n1"),
    TrialDone(),
]


def result(event: Started | Progress) -> TuneResult:
    return TuneResult(
        "t1", event, node_id="node", host="host", pid=4711, process_started=1.5, oom_kills=0, timeout_s=600.0
    )


@pytest.mark.parametrize("event", EVENTS)
def test_read_gives_back_what_was_written_whatever_tune_adds(event: Started | Progress) -> None:
    passed_on = {**write_result(result(event)), "training_iteration": 3, "hostname": "here", "config": {"trial": "t1"}}
    assert read_result(json.loads(json.dumps(passed_on))) == result(event)


def test_written_result_is_done_at_the_end_of_the_trial_only() -> None:
    assert [write_result(result(event))["done"] for event in EVENTS] == [False, False, False, True]


def test_every_kind_of_progress_can_be_written() -> None:
    assert {type(event) for event in EVENTS} == {Started, *get_args(Progress)}
