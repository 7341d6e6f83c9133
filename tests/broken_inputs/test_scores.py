"""Scores x arms x seeds x benchmarks x what became of trials: what is shown has numbers or reasons, and no NaN."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api import judge
from orchestrator.reporting.build import build_report
from orchestrator.reporting.forms import FORMS
from orchestrator.state.status import study_status
from orchestrator.state.status import to_json as status_json
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study import Hypothesis
from tests.support.broken_inputs import tries
from tests.support.stored_studies import fail_trial, finish_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore

UNDEFINED = re.compile(r"(?<![\w.-])[+-]?(nan|inf|infinity)(?![\w.-])", re.IGNORECASE)
EXPECTATIONS: list[dict[str, Any]] = [
    {"expect": "better"},
    {"expect": "worse"},
    {"expect": "equivalent", "margin": 2.0},
    {"expect": "not-worse", "margin": 0.5},
]
SHARES = st.sampled_from([0.0, 1.0, 0.5, 0.25, 1e-45, 1e-30, 1 - 2**-24])


def strict(text: str) -> Any:
    """Read JSON as other languages do, which know no NaN and no infinities."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


@st.composite
def scores(draw: st.DrawFn, n: int) -> np.ndarray:
    """Draw scores of `n` questions: all equal, only the first or last another, or any."""
    kind = draw(st.sampled_from(["equal", "one", "any"]))
    if kind == "any":
        return np.array(draw(st.lists(SHARES, min_size=n, max_size=n)))
    values = np.full(n, draw(SHARES))
    if kind == "one":
        values[draw(st.sampled_from([0, -1]))] = draw(SHARES)
    return values


def write_trial(draw: Any, store: LocalStore, plan: Plan, trial: PlannedTrial, n: int) -> None:
    """Write what became of a trial: nothing, a failure, or scores on all benchmarks, some or none."""
    outcome = draw(st.sampled_from(["finished"] * 5 + ["short", "partly", "diverged", "failed", "missing"]))
    if outcome == "failed":
        fail_trial(store, plan, trial)
    if outcome in ("failed", "missing"):
        return
    names = [benchmark.id for benchmark in plan.benchmarks]
    asked = {"partly": names[1:], "diverged": []}.get(outcome, names)
    finish_trial(
        store,
        plan,
        trial,
        {name: draw(scores(1 if outcome == "short" else n)) for name in asked},
        diverged=outcome == "diverged",
        majority=draw(st.sampled_from([0.0, 50.0, 100.0])),
        constant=names[:1] if draw(st.booleans()) else (),
        unparsable={names[0]: draw(st.sampled_from([0, 1]))},
    )


@tries("scores", few=20)
@given(
    resolutions=st.sampled_from([(64,), (64, 32), (64, 32, 16)]),
    seeds=st.sampled_from([(7,), (7, 8), (7, 8, 9)]),
    benchmarks=st.sampled_from([("shape",), ("shape", "colour")]),
    n=st.sampled_from([1, 2, 4, 5, 9]),
    expectation=st.sampled_from(EXPECTATIONS),
    data=st.data(),
)
def test_a_report_of_any_scores_has_numbers_or_reasons_in_every_form(
    resolutions: tuple[int, ...],
    seeds: tuple[int, ...],
    benchmarks: tuple[str, ...],
    n: int,
    expectation: dict[str, Any],
    data: st.DataObject,
) -> None:
    plan = two_stage_plan(resolutions, seeds, benchmarks)
    claims = [
        Hypothesis(id=f"h{i}", claim="Size helps", pairs=((plan.arms[0].name, arm.name),), **expectation)
        for i, arm in enumerate(plan.arms[1:])
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        for trial in plan.trials:
            write_trial(data.draw, store, plan, trial, n)
        report = build_report(study_of(*claims), plan, store)
        strict(status_json(study_status(plan, store)))
    texts = {name: write(report) for name, write in FORMS.items()}
    strict(texts["json"])
    for name, text in texts.items():
        shown = UNDEFINED.search(text)
        assert shown is None, (name, text[max(0, shown.start() - 200) : shown.end() + 100])


@tries("scores", few=60)
@given(
    n=st.sampled_from([1, 2, 3, 6]),
    seeds=st.sampled_from([(1,), (1, 2), (1, 2, 3)]),
    n_images=st.sampled_from([1, 2, 6]),
    expectation=st.sampled_from(EXPECTATIONS),
    seed_sd=st.sampled_from([None, 1e-300, 0.5, 1e6]),
    data=st.data(),
)
def test_verdicts_on_any_scores_are_strict_json_with_an_effect_or_a_reason(
    n: int,
    seeds: tuple[int, ...],
    n_images: int,
    expectation: dict[str, Any],
    seed_sd: float | None,
    data: st.DataObject,
) -> None:
    rows = [
        {"arm": arm, "seed": seed, "benchmark": "x", "id": f"{i}", "score": score, "cluster": f"{i % n_images}"}
        for arm in ("a", "b")
        for seed in seeds
        for i, score in enumerate(data.draw(scores(n)).tolist())
    ]
    claim = {"id": "h", "claim": "c", "pairs": [["a", "b"]], **expectation}
    verdict = judge(pa.Table.from_pylist(rows), [claim], seed_sd=seed_sd)[0]
    strict(json.dumps(verdict))
    assert verdict["sentence"]
    assert UNDEFINED.search(verdict["sentence"]) is None
    if verdict["effect"] is not None:
        low, high = verdict["interval"]
        assert low <= verdict["effect"] <= high
