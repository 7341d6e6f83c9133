"""Every victim has its turn, at an operation that its processes do, and about a third goes on with another shape."""

from __future__ import annotations

import itertools

from measurements.drill.operations import FILE_KINDS, Record
from measurements.drill.run_cases import PLACES, SERVER_WRITES, SHAPES_OF_RUNS, VICTIMS, run_cases
from measurements.drill.toy_study import SHAPES

FILES = (
    "stages/k/checkpoints/00000002/rank0.safetensors",
    "stages/k/language.safetensors",
    "features/k/features.npy",
    "evaluations/k/shape.parquet",
    "studies/s/trials/t/spool.jsonl",
    "leases/k/0a.json",
    "scratch/0b/trials.json",
)
LOG = [Record(number, 1, "run", "W", 0, number, 8, file, "") for number, file in enumerate(FILES, 1)]
TURNS = 30
CASES = list(itertools.islice(run_cases(lambda shape: LOG, VICTIMS, SHAPES_OF_RUNS, seed=1), TURNS * len(VICTIMS)))


def test_every_victim_has_its_turn_before_any_has_a_second_one() -> None:
    for start in range(0, len(CASES), len(VICTIMS)):
        assert tuple(case.victim for case in CASES[start : start + len(VICTIMS)]) == VICTIMS


def test_one_rank_of_two_is_killed_where_there_are_two() -> None:
    assert {SHAPES[case.shape].workers for case in CASES if case.victim == "one rank of two KILL"} == {2}
    assert {case.shape for case in CASES} == set(SHAPES_OF_RUNS)


def test_what_only_workers_touch_is_where_workers_are_killed() -> None:
    for victim, kinds in PLACES.items():
        assert {case.choice.pattern for case in CASES if case.victim == victim} <= {FILE_KINDS[kind] for kind in kinds}
    assert FILE_KINDS["lease"] in {case.choice.pattern for case in CASES}
    assert FILE_KINDS["scratch"] not in {case.choice.pattern for case in CASES}


def test_a_server_dies_at_one_of_its_own_writes() -> None:
    moments = [case.choice for case in CASES if case.victim == "MLflow server KILL"]
    assert {(choice.operations, choice.pattern) for choice in moments} == {("W", "")}
    assert len({choice.nth for choice in moments}) > TURNS // 2
    assert all(1 <= choice.nth <= SERVER_WRITES for choice in moments)


def test_a_third_goes_on_with_another_shape_and_equal_seeds_choose_equal_cases() -> None:
    others = sum(case.shape != case.second for case in CASES)
    assert len(CASES) / 4 < others < len(CASES) / 2
    again = run_cases(lambda shape: LOG, VICTIMS, SHAPES_OF_RUNS, seed=1)
    assert list(itertools.islice(again, len(CASES))) == CASES
