"""What storage holds of the answers to every question, put beside one another."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from orchestrator.analysis.study_questions import judge_questions
from orchestrator.state.ledger import read_ledger
from tests.support.stored_studies import finish_trial, replace_examples, two_stage_plan
from trainables.storage.store import LocalStore

ARMS = (512, 256, 128, 64, 32, 16)


def stored(store: LocalStore, n_arms: int = 6) -> tuple[dict[str, object], np.ndarray]:
    """Write arms of which each answers 30 questions more than the one before; nobody scores on the first question."""
    plan = two_stage_plan(ARMS[:n_arms], (7, 8), ("shape",))
    levels = {arm: 0.5 + 0.08 * i for i, arm in enumerate(dict.fromkeys(trial.arm for trial in plan.trials))}
    hard = np.random.default_rng(1).permutation(399) + 1
    for trial in plan.trials:
        scores = np.zeros(400)
        scores[hard[: round(levels[trial.arm] * 400)]] = 1
        finish_trial(store, plan, trial, {"shape": scores})
    ledger = read_ledger(plan, store)
    return {"plan": plan, "store": store, "ledger": ledger}, hard


def test_every_question_is_judged_over_all_trials(store: LocalStore) -> None:
    stored_study, hard = stored(store)
    questions = next(iter(judge_questions(**stored_study)))
    assert questions.analysis is not None
    kinds = dict(zip(questions.analysis.ids, questions.analysis.kinds_Q, strict=True))
    assert (questions.analysis.n_arms, questions.analysis.n_trials) == (6, 12)
    assert kinds["q0000"] == "nobody"
    assert kinds[f"q{hard[0]:04d}"] == "everybody"
    assert kinds[f"q{hard[280]:04d}"] == "telling"


def test_label_against_which_the_best_arms_agree_is_named_with_their_answer(store: LocalStore) -> None:
    stored_study, _ = stored(store)

    def said(arm: str, table: pa.Table) -> pa.Table:
        rows = zip(table["id"].to_pylist(), table["parsed"].to_pylist(), strict=True)
        words = ["cube" if name == "q0000" else f"{word} {arm}" for name, word in rows]
        return table.set_column(table.column_names.index("parsed"), "parsed", pa.array(words))

    for path in store.root.glob("evaluations/*/shape.parquet"):
        replace_examples(store, path, partial(said, path.parent.name))
    stored_study |= {"ledger": read_ledger(stored_study["plan"], store)}
    suspect, *more = next(iter(judge_questions(**stored_study))).suspects
    assert more == []
    assert (suspect.id, suspect.image, suspect.answer) == ("q0000", "image0", "cube")
    assert (len(suspect.agreeing), suspect.n_good, suspect.others) == (3, 3, 0.0)


def test_examples_in_another_order_are_put_beside_one_another(store: LocalStore) -> None:
    stored_study, _ = stored(store)
    before = next(iter(judge_questions(**stored_study))).analysis
    path = sorted(store.root.glob("evaluations/*/shape.parquet"))[3]
    replace_examples(store, path, lambda table: table.take(np.arange(400)[::-1].copy()))
    stored_study |= {"ledger": read_ledger(stored_study["plan"], store)}
    after = next(iter(judge_questions(**stored_study))).analysis
    assert before is not None
    assert after is not None
    order = [after.ids.index(name) for name in before.ids]
    assert np.array_equal(before.discrimination_Q, after.discrimination_Q[order], equal_nan=True)


def test_few_arms_have_a_reason_in_the_place_of_an_analysis(store: LocalStore) -> None:
    stored_study, _ = stored(store, n_arms=2)
    questions = next(iter(judge_questions(**stored_study)))
    assert questions.analysis is None
    assert "three arms" in str(questions.reason)
