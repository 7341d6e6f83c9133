"""Claims about orchestrator/running/event_log.py."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from orchestrator.output_schemas import output_schema
from orchestrator.running.event_log import EventLog, EventName
from orchestrator.running.retry_policy import AfterStorage, Again, GivenUp
from orchestrator.running.trial_events import AttemptFailed, Blocked, Dispatched, TrialEvent
from search_spaces.errors import InputError
from search_spaces.outcomes import AwaitsRoom, NodeDone, Started, TrialDone, UnitDone
from tests.support.small_plans import small_plan
from tests.support.small_records import failure

jsonschema = pytest.importorskip("jsonschema")

FAILURE = failure("t", kind="lost", message="its process is gone", host="node1", rank=3, gpu="GPU-1")
EVENTS = (
    Dispatched(),
    Started(fresh_group=True),
    UnitDone("stage-1", "finetune", 1, 8, loss=float("inf"), rate=2.0, eta_s=3.5),
    NodeDone("stage-1"),
    TrialDone(),
    AttemptFailed(FAILURE, Again(after_s=10.0, number=1, most=3)),
    AttemptFailed(FAILURE, AfterStorage()),
    AttemptFailed(FAILURE, GivenUp()),
    AwaitsRoom(),
    Blocked(FAILURE),
)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_is_a_line_that_fits_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with suppress(typer.Exit), EventLog(path, clock=lambda: 5.0) as log:
        log.run_started(small_plan(), done=1)
        for event in EVENTS:
            log.show(TrialEvent("t", 4.0, event))
        assert len(lines(path)) == 1 + len(EVENTS)  # written at once
        raise typer.Exit(3)
    written = lines(path)
    for line in written:
        jsonschema.validate(line, output_schema("events"))
    assert {line["event"] for line in written} == set(get_args(EventName))
    start = {"schema_version": 1, "at": 5.0, "event": "run started", "study": "small", "trials": 2, "done": 1}
    assert written[0] == start
    decisions = [line["follows"] for line in written if line["event"] == "attempt failed"]
    assert decisions == ["again", "after storage", "nothing"]
    progress = written[3]
    assert (progress["label"], progress["step"], progress["loss"], progress["at"]) == ("finetune", 1, None, 4.0)
    assert (written[6]["host"], written[6]["rank"], written[6]["gpu"]) == ("node1", 3, "GPU-1")
    assert (written[-1]["event"], written[-1]["exit_code"], written[-1]["error"]) == ("run ended", 3, None)


def test_an_error_ends_the_lines_and_a_second_run_appends(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        with pytest.raises(InputError), EventLog(path):
            raise InputError("must be there", key="data")
    assert [line["error"] for line in lines(path)] == ["InputError: data: must be there"] * 2


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--events: must be a file that can be written"):
        EventLog(tmp_path / "absent" / "events.jsonl")


def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path) -> None:
    pipe, notices = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with EventLog(pipe, notices.append) as log:
        os.close(reader)
        for event in EVENTS:
            log.show(TrialEvent("t", 4.0, event))
    assert notices == [f"--events: no more lines: {pipe}: Broken pipe"]
