"""Claims about verdicts on items: they are those of a study with the same scores."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orchestrator.analysis.methods.judge_study import judge_study
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdict, Verdicts, plain_values
from orchestrator.items.check import checked_items
from orchestrator.items.files import read_items
from orchestrator.items.judge import judge_items
from orchestrator.state.ledger import read_ledger
from search_spaces.claims import typed_claims
from search_spaces.errors import InputError
from search_spaces.study import Study
from search_spaces.yaml_source import Document
from tests.support.item_rows import Row, item_rows, write_lines
from tests.support.stored_studies import finish_trial, noisy_answers, two_stage_plan
from trainables.storage.store import LocalStore


def judged(folder: Path, rows: list[Row], *claims: dict[str, Any], **options: Any) -> Verdicts:
    items = checked_items(read_items([write_lines(folder / "items.jsonl", rows)]))
    read, document = typed_claims(Document({"hypotheses": list(claims)}))
    return judge_items(items, read, document, source="items.jsonl", **options).verdicts


def claim(expect: str = "better", reference: str = "base", alternative: str = "other", **fields: Any) -> dict[str, Any]:
    return {"id": "h", "claim": "c", "pairs": [[reference, alternative]], "expect": expect, **fields}


def test_verdicts_are_those_of_a_study_on_storage_with_the_same_scores(store: LocalStore, tmp_path: Path) -> None:
    accuracies = {"base": (0.6, 0.6), "resolution=32px": (0.61, 0.6), "resolution=16px": (0.5, 0.61)}
    plan, rows = two_stage_plan(seeds=(7, 8, 9)), []
    for trial in plan.trials:
        finish_trial(store, plan, trial, noisy_answers(accuracies, trial.arm, trial.seed))
    ledger = read_ledger(plan, store)
    for trial in plan.trials:
        for benchmark in plan.benchmarks:
            stored = pq.read_table(store.reading(ledger.evaluations[trial.id, benchmark.id].examples))
            rows += [
                {"arm": trial.arm, "seed": trial.seed, "benchmark": benchmark.id, **row}
                for row in stored.select(["id", "cluster", "score"]).to_pylist()
            ]
    claims = [
        claim("worse", alternative="resolution=16px"),
        claim("equivalent", alternative="resolution=32px", margin=2, id="i", on="shape"),
    ]
    read, _ = typed_claims(Document({"hypotheses": claims}))
    study = Study.model_construct(hypotheses=read.hypotheses, suites={}, seed_sd=None)
    expected = judge_study(study, plan, StudyScores.of(plan, store, ledger)).verdicts
    assert [_comparable(verdict) for verdict in judged(tmp_path, rows, *claims).verdicts] == [
        _comparable(verdict) for verdict in expected
    ]


def _comparable(verdict: Verdict) -> Any:
    """Leave out what only storage knows: costs, the order of benchmarks, and the check by drawing."""
    parts = tuple(sorted(verdict.by_benchmark, key=lambda part: part.name))
    plain = replace(verdict, benchmarks=tuple(sorted(verdict.benchmarks)), by_benchmark=parts)
    return plain_values(asdict(replace(plain, image_error_bootstrap=None, price=None, reasons=verdict.reasons[:1])))


def test_seeds_that_not_all_arms_have_are_in_no_pair_and_are_named(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.7}, seeds=(1, 2, 3, 4))
    fewer = [row for row in rows if row["arm"] == "base" or row["seed"] < 4]
    all_seeds, common = (judged(tmp_path, part, claim()).verdicts[0] for part in (rows, fewer))
    assert (all_seeds.n_seeds, common.n_seeds) == (4, 3)
    assert common.reasons[-1] == "seeds that not every arm has on these benchmarks are in no pair: base 4"


def test_arms_without_a_common_seed_are_not_compared(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.7}, seeds=(1, 2))
    apart = [row for row in rows if (row["arm"] == "base") == (row["seed"] == 1)]
    verdict = judged(tmp_path, apart, claim()).verdicts[0]
    assert (verdict.verdict, verdict.effect) == ("undecided", None)
    assert verdict.reasons == ("base, other have no seed in common",)


def test_arms_on_other_benchmarks_are_not_compared_and_the_benchmark_is_named(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.7}, seeds=(1, 2), benchmarks=("gqa", "pope"))
    fewer = [row for row in rows if (row["arm"], row["benchmark"]) != ("other", "pope")]
    assert judged(tmp_path, fewer, claim()).verdicts[0].reasons == ("other has no scores on pope",)


def test_arms_without_a_common_seed_on_both_benchmarks_name_these(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.7}, seeds=(1, 2), benchmarks=("gqa", "pope"))
    apart = [row for row in rows if row["arm"] == "base" or (row["benchmark"] == "gqa") == (row["seed"] == 1)]
    assert judged(tmp_path, apart, claim()).verdicts[0].reasons == ("base, other have no seed in common on gqa, pope",)


def test_one_answer_throughout_is_no_signal_and_supports_no_equivalence(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.5}, n=400)
    same = claim("equivalent", margin=5)
    with_answers = [{**row, "prediction": "yes" if row["arm"] == "other" else row["id"]} for row in rows]
    assert judged(tmp_path, rows, same).verdicts[0].verdict == "equivalent"
    verdict = judged(tmp_path, with_answers, same).verdicts[0]
    assert verdict.verdict == "undecided"
    assert "no signal on gqa: other" in " ".join(verdict.reasons)


def test_scores_of_the_most_frequent_reference_are_no_signal(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.5}, n=400)
    referenced = [{**row, "reference": "yes" if int(row["id"][1:]) % 2 else "no"} for row in rows]
    verdict = judged(tmp_path, referenced, claim("equivalent", margin=5)).verdicts[0]
    assert "no signal on gqa: base, other" in " ".join(verdict.reasons)


def test_claims_about_what_is_not_there_are_refused_by_name(tmp_path: Path) -> None:
    rows = item_rows({"base": 0.5, "other": 0.7}, n=8)
    with pytest.raises(InputError) as raised:
        judged(tmp_path, rows, claim(alternative="othr"), claim(on="pope", id="i"))
    assert "hypotheses[0].pairs[0][1]: must name an arm of the items, but got 'othr'\nDid you mean 'other'?" in str(
        raised.value
    )
    assert "must be all, or a benchmark or suite of the items (gqa), but got 'pope'" in str(raised.value)


def test_items_have_no_cost_and_no_cluster_is_said(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "cluster"} for row in item_rows({"base": 0.5, "other": 0.51})]
    result = judged(tmp_path, rows, claim())
    price = result.verdicts[0].price
    assert price is not None
    assert (price.seeds_gpu_hours, price.examples_gpu_hours) == (None, None)
    assert result.notes[0] == "Read 1,200 items, 2 arms, 3 seeds, 1 benchmark."
    assert result.notes[1].startswith("No `cluster` on gqa")
