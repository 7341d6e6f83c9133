"""Every place has its turn before any has a second one, and a choice finds the operation that it was made of."""

from __future__ import annotations

import itertools

from measurements.drill.interposer import FAILING
from measurements.drill.operations import Place, Record
from measurements.drill.worker_cases import cases, choice_of, is_chosen

SHAPE = "1w-zero0"


def record(number: int, operation: str, path: str, second: str = "", *, error: int = 0, size: int = 8) -> Record:
    return Record(number, 1, "rank 0", operation, error, number, size, path, second)


LOG = [
    record(1, "C", "stages/k/.result.json.0a.aside"),
    record(2, "W", "stages/k/.result.json.0a.aside"),
    record(3, "R", "stages/k/.result.json.0a.aside", "stages/k/result.json"),
    record(4, "U", "stages/k/.result.json.0a.aside", error=2),
    record(5, "W", "studies/s/trials/t/spool.jsonl"),
    record(6, "W", "studies/s/trials/t/spool.jsonl"),
    record(7, "R", "stages/m/.result.json.0b.aside", "stages/m/result.json"),
]
PLACES = {
    Place("stage result", "create"),
    Place("stage result", "write"),
    Place("stage result", "rename"),
    Place("spool", "write"),
}


def test_every_place_of_what_was_done_has_its_turn_before_any_has_a_second_one() -> None:
    chosen = [
        next(
            record.place
            for record in LOG
            if is_chosen(record, case.disturbance.choice.operations, case.disturbance.choice.pattern, "rank 0")
        )
        for case in itertools.islice(cases({SHAPE: LOG}, [SHAPE], seed=1), 3 * len(PLACES))
    ]
    for turn in _turns(chosen):
        assert set(turn) == PLACES


def _turns(chosen: list[Place]) -> list[list[Place]]:
    return [chosen[start : start + len(PLACES)] for start in range(0, len(chosen), len(PLACES))]


def test_a_choice_is_the_number_of_its_operation_among_those_that_match() -> None:
    for record in LOG:
        choice = choice_of(record, LOG)
        matching = [other for other in LOG if is_chosen(other, choice.operations, choice.pattern, choice.role)]
        assert matching[choice.nth - 1] == record


def test_equal_seeds_choose_equal_cases_and_errors_are_ones_that_the_operation_has() -> None:
    first, second = (list(itertools.islice(cases({SHAPE: LOG}, [SHAPE], seed=5), 200)) for _ in range(2))
    assert first == second
    assert {case.seed for case in first} == {5}
    assert {case.kind for case in first} >= {"kill", "half a write", "power cut", "failure once"}
    for case in first:
        if case.disturbance.error:
            assert case.disturbance.choice.operations in FAILING[case.disturbance.error]
