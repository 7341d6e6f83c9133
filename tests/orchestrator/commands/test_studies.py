"""Commands about the studies of a storage and the runs that go on there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.schema_version import SCHEMA_VERSION
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import read, write
from trainables.storage.records import RunRecord, StopRequest
from trainables.storage.store import LocalStore


def _begin(store: LocalStore, nonce: str, owner: Owner | None = None, study: str = "small") -> None:
    """Have a process run a study: this one, unless another is given."""
    owner = owner or Owner.here()
    record = RunRecord(nonce, owner.host, owner.pid, f"ada@{owner.host}", 1_700_000_000_000, "ablate run small")
    write(store, layout.run_record(study, nonce), record)
    assert store.lease(layout.run_lease(study, nonce), owner)


def _stop(store: LocalStore, *options: str, study: str = "small") -> Result:
    store.put(layout.study_file("small"), b"study: small\n")
    return CliRunner().invoke(app, ["stop", study, "--storage", str(store.root), *options], catch_exceptions=False)


def _request(store: LocalStore, nonce: str, study: str = "small") -> StopRequest | None:
    return read(store, layout.stop_request(study, nonce), StopRequest)


def test_stop_asks_every_run_of_the_study_and_of_no_other_and_names_them(store: LocalStore) -> None:
    elsewhere = Owner("node7", 4711, 12.0)
    _begin(store, "first")
    _begin(store, "second", elsewhere)
    _begin(store, "other", study="small-toy")
    done = _stop(store)
    assert done.exit_code == 0
    assert "ada@node7 on node7 (pid 4711)" in done.output
    assert [_request(store, nonce) is not None for nonce in ("first", "second")] == [True, True]
    assert _request(store, "other", "small-toy") is None


@pytest.mark.parametrize(("options", "within_s"), [((), 60.0), (("--within", "5"), 5.0), (("--now",), 0.0)])
def test_stop_gives_running_trials_time_to_reach_a_checkpoint(
    options: tuple[str, ...], within_s: float, store: LocalStore
) -> None:
    _begin(store, "first")
    _stop(store, *options)
    request = _request(store, "first")
    assert request is not None
    assert request.within_s == within_s


def test_stop_of_a_study_that_nobody_runs_says_so(store: LocalStore) -> None:
    _begin(store, "killed", replace(Owner.here(), started=1.0))
    done = _stop(store)
    assert (done.exit_code, done.output) == (0, "small: no run goes on\n")
    assert _request(store, "killed") is None


def test_stop_that_waits_ends_with_3_if_the_run_does_not_go(store: LocalStore) -> None:
    _begin(store, "first")
    done = _stop(store, "--wait", "--timeout", "0")
    assert done.exit_code == 3
    assert "still goes on" in done.output


def test_stop_as_json_names_the_runs_that_were_asked(store: LocalStore) -> None:
    _begin(store, "first")
    here = Owner.here()
    shown = json.loads(_stop(store, "--json").stdout)
    assert shown == {
        "schema_version": SCHEMA_VERSION,
        "study": "small",
        "runs": [{"nonce": "first", "host": here.host, "pid": here.pid, "gone": False}],
    }


def test_stop_takes_a_study_file_too(store: LocalStore, small: Path) -> None:
    _begin(store, "first", study="small-toy")
    assert _stop(store, "--toy", study=str(small)).exit_code == 0
    assert _request(store, "first", "small-toy") is not None


def test_stop_of_an_unknown_study_suggests_one_that_is_there(store: LocalStore) -> None:
    with pytest.raises(InputError, match="Did you mean 'small'"):
        _stop(store, study="smal")
