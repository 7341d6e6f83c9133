"""Disturbed studies end as undisturbed; and the drill finds what it is for, in a product broken on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from measurements.drill.interposer import Choice, Disturbance, compiled
from measurements.drill.operations import FILE_KINDS
from measurements.drill.toy_study import SHAPES, planned_shape
from measurements.drill.worker_cases import Case
from measurements.drill.worker_drill import SERVER, Server

SHAPE = "1w-zero0"

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
