"""A record that is gone is called lost only where all else is what it is without the damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from measurements.damage import outcomes
from measurements.damage.commands import Said
from measurements.damage.outcomes import Outcome, Reference, judge
from orchestrator.exit_codes import EXIT_DONE

LOOK, CLAIM, PLAN = (f"studies/s/{name}.json" for name in ("looks/0a", "claims/0b", "plan"))
Command = Callable[[Path], str]


def _again(storage: Path, name: str) -> None:
    """Write a record in place of those of its folder that are gone."""
    folder = (storage / name).parent
    if not list(folder.glob("*.json")):
        (folder / "ff.json").write_text('{"now": 2}')


def run(storage: Path) -> str:
    _again(storage, LOOK)
    return "done"


def run_that_changes_the_plan(storage: Path) -> str:
    if not (storage / LOOK).exists():
        (storage / PLAN).write_text("another")
    return run(storage)


def run_that_says_another_thing(storage: Path) -> str:
    return f"{run(storage)} {(storage / LOOK).exists()}"


def run_that_misses_the_claim(storage: Path) -> str:
    missed = "" if (storage / CLAIM).exists() else f"{(storage / CLAIM).parent}: the record is gone "
    _again(storage, CLAIM)
    return f"{missed}done"


def run_that_writes_the_claim_anew(storage: Path) -> str:
    _again(storage, CLAIM)
    return "done" if (storage / CLAIM).exists() else "done, not known before"


@pytest.mark.parametrize(
    ("kind", "command", "outcome"),
    [
        ("looks", run, "lost"),
        ("looks", run_that_changes_the_plan, "silently"),
        ("looks", run_that_says_another_thing, "silently"),
        ("hypotheses", run_that_misses_the_claim, "dropped with a notice"),
        ("hypotheses", run_that_writes_the_claim_anew, "silently"),
    ],
)
def test_a_run_without_a_record_of_what_has_happened(
    kind: str, command: Command, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "storage"
    for name in (LOOK, CLAIM, PLAN, "studies/s/study.yaml"):
        (storage / name).parent.mkdir(parents=True, exist_ok=True)
        (storage / name).write_text('{"now": 1}')
    monkeypatch.setattr(outcomes, "run_command", lambda name, copy: Said(EXIT_DONE, command(copy)))
    reference = Reference.of(storage, ("run",), tmp_path)
    assert judge(reference, "run", kind, "absent", tmp_path)[0] == outcome
