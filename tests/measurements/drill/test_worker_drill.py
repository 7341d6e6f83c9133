"""Disturbed studies end as undisturbed; and the drill finds what it is for, in a product broken on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from measurements.drill.interposer import Choice, Disturbance, compiled
from measurements.drill.operations import FILE_KINDS
from measurements.drill.outcome import OUTCOMES, line_of, read_outcomes
from measurements.drill.toy_study import SHAPES, planned_shape
from measurements.drill.worker_cases import Case
from measurements.drill.worker_drill import SERVER, Server, drill_workers

SHAPE = "1w-zero0"

TWO_WORKERS = "2w-zero0"

CASES = 60
"""Of the thousand of `make drill`; each takes seconds."""

NEVER_FLUSHED = """
import trainables.storage.store as store
store.flush_tree = store.flush_entry = lambda path: None
store.make_folder = lambda path: path.mkdir(parents=True, exist_ok=True)
"""

CHECKPOINTS_UNREAD = """
from trainables.training.step_checkpoints import StepCheckpoints
StepCheckpoints.newest = lambda self: None
"""

POWER_CUT = Case(
    number=1,
    seed=1,
    kind="power cut",
    shape=SHAPE,
    second=SHAPE,
    disturbance=Disturbance("hold", Choice("R", FILE_KINDS["trial result"], 2, "rank 0")),
    mode="strict",
)
KILLED_AT_THE_END = Case(
    number=2,
    seed=1,
    kind="kill",
    shape=SHAPE,
    second=SHAPE,
    disturbance=Disturbance("kill", Choice("C", FILE_KINDS["stage weights"], 1, "rank 0")),
)
"""All steps of the first stage are done, and its weights are not written."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study was run undisturbed."""
    folder = tmp_path_factory.mktemp("drill")
    (folder / "template").mkdir()
    planned_shape(SHAPES[SHAPE], folder / "template")
    with Server(folder, compiled(folder), (SHAPE,)):
        return folder


def differences(folder: Path, case: Case, broken: str = "") -> list[str]:
    """Run a case in the product as it is, or broken by some lines of Python; it must come to its place."""
    program = ("-c", f"{broken}\nfrom measurements.drill.worker_server import main\nmain()") if broken else SERVER
    with Server(folder, compiled(folder), (), program) as server:
        outcome = server.run(case)
    assert outcome.is_hit
    return outcome.differences


@pytest.mark.parametrize(("case", "broken"), [(POWER_CUT, NEVER_FLUSHED), (KILLED_AT_THE_END, CHECKPOINTS_UNREAD)])
def test_a_broken_product_differs_where_the_sound_one_does_not(case: Case, broken: str, folder: Path) -> None:
    assert differences(folder, case) == []
    assert differences(folder, case, broken) != []


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_two_workers_whose_features_get_no_name_end_as_undisturbed(folder: Path) -> None:
    """Whether the process is killed there, or the rename fails once: rank 1 waits for rank 0, which never comes."""
    renamed = Choice("R", FILE_KINDS["features"], 1, "rank 0")
    disturbances = {"kill": Disturbance("kill", renamed), "failure once": Disturbance("fail once", renamed, "EACCES")}
    with Server(folder, compiled(folder), (TWO_WORKERS,)) as server:
        outcomes = [
            server.run(Case(number, 1, kind, TWO_WORKERS, TWO_WORKERS, disturbance))  # type: ignore[arg-type]
            for number, (kind, disturbance) in enumerate(disturbances.items(), start=3)
        ]
    assert [(outcome.is_hit, outcome.file, outcome.operation) for outcome in outcomes] == [
        (True, "features", "rename"),
        (True, "features", "rename"),
    ]
    assert [line_of(outcome) for outcome in outcomes if outcome.differences] == []


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_disturbed_studies_end_as_undisturbed(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):  # the second call finds that nothing is left to do
        drill_workers(tmp_path, CASES, 2, ("1w-zero0", "1w-zero2", "2w-zero0", "2w-zero2"), tell=told.append)
    assert len(told) == CASES
    outcomes = list(read_outcomes(tmp_path / OUTCOMES))
    assert sorted(outcome.number for outcome in outcomes) == list(range(1, CASES + 1))
    assert [line_of(outcome) for outcome in outcomes if outcome.differences] == []
    assert sum(outcome.is_hit for outcome in outcomes) >= CASES - 4  # few choices are of operations that came by chance
