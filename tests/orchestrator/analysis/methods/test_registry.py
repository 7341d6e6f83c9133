"""The contract of a statistical method, held over every one that is registered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from orchestrator.analysis import methods
from orchestrator.analysis.methods.contract import Judged, Question, StudyMethod, StudyResults, TableMethod
from orchestrator.analysis.methods.registry import (
    STUDY_METHODS,
    TABLE_METHODS,
    StudyMethodName,
    TableMethodName,
    find_name,
)
from orchestrator.analysis.score_table import ScoreTable
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdict, Verdicts, verdicts_json
from orchestrator.state.ledger import read_ledger
from search_spaces.errors import InputError
from search_spaces.study import Expectation, Hypothesis
from tests.support.stored_studies import fail_trial, finish_trial, two_stage_plan
from trainables.storage.store import LocalStore

BASE, SAME, NOISY, HIGHER = "base", "resolution=32px", "resolution=16px", "resolution=8px"
ARMS = (BASE, SAME, NOISY, HIGHER)
"""The base; one with its very scores; one with other scores and the same mean; one that scores clearly higher."""
BENCHMARKS = tuple(f"b{i}" for i in range(8))
SEEDS = (7, 8, 9)
N = 200


def _levels(arm: str) -> np.ndarray:
    """Points of an arm on each benchmark."""
    level = np.linspace(30, 65, len(BENCHMARKS))
    wobble = np.tile([2.0, -1.0, 1.0, -2.0], len(BENCHMARKS) // 4)
    return level + {BASE: 0 * wobble, SAME: 0 * wobble, NOISY: wobble, HIGHER: 20 + wobble}[arm]


@dataclass(frozen=True)
class Bench:
    """A method, and results of the four arms as it takes them, with or without one arm's scores on one benchmark."""

    name: str
    method: StudyMethod | TableMethod
    judge: Callable[[Sequence[Question], str | None, Sequence[str]], Judged]

    def verdict(self, pair: tuple[str, str], expect: Expectation, lacking: str | None = None) -> Verdict:
        return self.judge([_question(pair, expect)], lacking, ARMS).verdicts[0]


def _question(pair: tuple[str, str], expect: Expectation, name: str = "h") -> Question:
    margin = 5.0 if expect in ("equivalent", "not-worse") else None
    return Question(Hypothesis(id=name, claim="c", pairs=(pair,), expect=expect, margin=margin), BENCHMARKS)


def _table_bench(method: TableMethod) -> Bench:
    def judge(questions: Sequence[Question], lacking: str | None, order: Sequence[str]) -> Judged:
        scores = {arm: dict(zip(BENCHMARKS, _levels(arm).tolist(), strict=True)) for arm in order}
        if lacking is not None:
            del scores[lacking]["b3"]
        return method.judge(ScoreTable("t", BENCHMARKS, scores), questions)

    return Bench(method.name, method, judge)


def _study_bench(method: StudyMethod, root: Path) -> Bench:
    def judge(questions: Sequence[Question], lacking: str | None, order: Sequence[str]) -> Judged:
        store = LocalStore(root / f"{lacking} {order[0]}")
        plan = two_stage_plan((64, 32, 16, 8), SEEDS, BENCHMARKS)
        for trial in sorted(plan.trials, key=lambda trial: order.index(trial.arm)):
            if trial.arm == lacking and trial.seed == SEEDS[0]:
                fail_trial(store, plan, trial)
            else:
                finish_trial(store, plan, trial, _answers(trial.arm, trial.seed))
        ledger = read_ledger(plan, store)
        return method.judge(StudyResults(StudyScores.of(plan, store, ledger), None), questions)

    return Bench(method.name, method, judge)


def _answers(arm: str, seed: int) -> Mapping[str, np.ndarray]:
    """Scores, 0 or 1, of every example; the same examples are hard for all arms, some more with each seed."""
    answers = {}
    for benchmark, level in zip(BENCHMARKS, _levels(arm), strict=True):
        hard = np.random.default_rng([seed, *benchmark.encode()]).permutation(N)
        answers[benchmark] = np.zeros(N)
        answers[benchmark][hard[: round(level / 100 * N)]] = 1.0
    return answers


@pytest.fixture(params=[*STUDY_METHODS, *TABLE_METHODS])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    for name, study_method in STUDY_METHODS.items():
        if name == request.param:
            return _study_bench(study_method, tmp_path)
    return _table_bench(TABLE_METHODS[request.param])


def test_every_name_has_a_method_and_every_method_its_name() -> None:
    assert set(STUDY_METHODS) == set(get_args(StudyMethodName))
    assert set(TABLE_METHODS) == set(get_args(TableMethodName))
    assert not {*STUDY_METHODS} & {*TABLE_METHODS}
    assert all(method.name == name for name, method in {**STUDY_METHODS, **TABLE_METHODS}.items())


def test_every_module_with_a_method_is_registered() -> None:
    modules = [importlib.import_module(f"{methods.__name__}.{m.name}") for m in pkgutil.iter_modules(methods.__path__)]
    found = {id(module.METHOD) for module in modules if hasattr(module, "METHOD")}
    assert found == {id(method) for method in (*STUDY_METHODS.values(), *TABLE_METHODS.values())}


def test_unknown_name_gets_the_nearest_legal_one() -> None:
    with pytest.raises(InputError, match=r"(?s)must be one of paired-table, prismatic-2024.*'prismatic-2024'\?"):
        find_name("prismatic", TABLE_METHODS)
    assert find_name(None, TABLE_METHODS) == "paired-table"
    assert find_name(None, STUDY_METHODS) == "study"


@pytest.mark.parametrize("expect", ["better", "worse"])
def test_identical_arms_are_never_better_or_worse(bench: Bench, expect: Expectation) -> None:
    verdict = bench.verdict((BASE, SAME), expect)
    assert verdict.effect == pytest.approx(0, abs=1e-9)
    assert verdict.verdict not in ("better", "worse")
    assert verdict.holds is not True


@pytest.mark.parametrize("expect", ["better", "worse"])
def test_no_difference_holds_where_there_is_none_in_the_mean(bench: Bench, expect: Expectation) -> None:
    verdict = bench.verdict((BASE, NOISY), expect)
    assert verdict.verdict not in ("better", "worse")
    assert verdict.holds is not True
    assert verdict.p is not None
    assert verdict.p > 0.2


def test_clear_difference_is_found_and_mirrored_where_the_arms_change_places(bench: Bench) -> None:
    up, down = bench.verdict((BASE, HIGHER), "better"), bench.verdict((HIGHER, BASE), "worse")
    holds = True if up.scope == "recipe" else None  # rows of a table, and single checkpoints, test no choice
    assert (up.verdict, up.holds, down.verdict, down.holds) == ("better", holds, "worse", holds)
    assert up.effect is not None
    assert up.interval is not None
    assert down.effect == pytest.approx(-up.effect)
    assert down.interval == pytest.approx((-up.interval[1], -up.interval[0]))
    assert down.p == pytest.approx(up.p)


def test_order_of_arms_and_hypotheses_does_not_matter(bench: Bench) -> None:
    questions = [_question((BASE, HIGHER), "better", "up"), _question((BASE, NOISY), "worse", "down")]
    forward = bench.judge(questions, None, ARMS).verdicts
    backward = bench.judge(questions[::-1], None, ARMS[::-1]).verdicts[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert (one.id, one.verdict, one.holds) == (other.id, other.verdict, other.holds)
        assert (one.effect, one.p, one.p_adjusted) == pytest.approx((other.effect, other.p, other.p_adjusted))
        assert one.interval == pytest.approx(other.interval)


def test_missing_score_refuses_the_comparison_naming_the_arm(bench: Bench) -> None:
    verdict = bench.verdict((BASE, HIGHER), "better", lacking=HIGHER)
    assert (verdict.verdict, verdict.holds, verdict.effect, verdict.p) == ("undecided", None, None, None)
    assert HIGHER in verdict.reasons[0]


def test_refused_hypothesis_counts_in_the_family_all_the_same(bench: Bench) -> None:
    questions = [_question((BASE, NOISY), "better"), _question((BASE, HIGHER), "better", "refused")]
    kept, refused = bench.judge(questions, HIGHER, ARMS).verdicts
    assert kept.p is not None
    assert kept.p_adjusted == pytest.approx(min(2 * kept.p, 1.0))
    assert refused.p_adjusted is None


@pytest.mark.parametrize("expect", get_args(Expectation))
def test_verdict_has_every_field_as_the_method_states_them(bench: Bench, expect: Expectation) -> None:
    method, judged = bench.method, bench.judge([_question((BASE, HIGHER), expect)], None, ARMS)
    printed = verdicts_json(Verdicts("s", method.name, method.level, judged.verdicts, judged.notes))["verdicts"][0]
    assert set(printed) == {field.name for field in fields(Verdict)}
    assert (printed["method"], printed["unit"]) == (method.name, method.unit)
    assert printed["level"] == pytest.approx(method.level)
    assert (printed["n_examples"] > 0) == ("examples" in method.needs)
    assert (printed["n_seeds"] > 0) == ("seeds" in method.needs)
    assert judged.notes
    assert printed["sentence"]
