"""A report says of every cell what is on storage, and why a score is absent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from orchestrator.reporting.build import build_report as build_report_of
from orchestrator.reporting.csv_json import to_json
from orchestrator.reporting.forms import FORMS, Form
from orchestrator.reporting.html import to_html
from orchestrator.reporting.markdown import to_markdown
from orchestrator.reporting.report_model import Finding, Report
from orchestrator.terminal.report import to_terminal
from search_spaces.identity import source_name
from search_spaces.plan import Arm, BlindRun, Exclusion, Plan, PlannedTrial
from search_spaces.spec import MixPart, MixSpec
from search_spaces.study import Hypothesis
from tests.support.stored_studies import (
    PROVENANCE,
    answers,
    fail_trial,
    finish_stage,
    finish_trial,
    key_of,
    noisy_answers,
    put_failure_aside,
    study_of,
    trial_of,
    two_stage_plan,
)
from tests.support.terminal_text import shown
from tests.support.tiny_specs import source
from trainables.storage import layout
from trainables.storage.store import LocalStore

ACCURACIES = {"base": (0.90, 0.60), "resolution=32px": (0.89, 0.60), "resolution=16px": (0.50, 0.61)}


@pytest.fixture
def plan() -> Plan:
    return two_stage_plan()


def _answers(arm: str, seed: int) -> dict[str, np.ndarray]:
    return noisy_answers(ACCURACIES, arm, seed)


def build_report(plan: Plan, store: LocalStore) -> Report:
    return build_report_of(study_of(), plan, store)


def _finish_all(store: LocalStore, plan: Plan, but: Mapping[str, int] | None = None) -> None:
    for trial in plan.trials:
        if (but or {}).get(trial.arm) != trial.seed:
            finish_trial(store, plan, trial, _answers(trial.arm, trial.seed))


def _finding(report: Report, label: str) -> Finding:
    return next(finding for axis in report.axes for finding in axis.findings if finding.label == label)


def _terminal(report: Report, width: int = 200) -> str:
    return shown(lambda console: to_terminal(report, console), width)


def test_report_before_anything_ran_says_so_in_few_lines(plan: Plan, store: LocalStore) -> None:
    text = to_markdown(build_report(plan, store))
    assert "Does resolution help?" in text
    assert "0 of 6 trials are done (6 pending)" in text
    assert "Nothing is scored yet" in text
    assert len(text.splitlines()) < 10
    assert "Nothing is scored yet" in _terminal(build_report(plan, store))


def test_report_of_a_finished_study_shows_means_intervals_and_the_best(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    report = build_report(plan, store)
    table = [line for line in to_markdown(report).splitlines() if line.startswith("|")]
    assert table[0] == "| arm | seeds | mean of 2 | shape (n 400) | colour (n 400) |"
    assert re.fullmatch(r"\| base \| 7, 8 \| \*\*75\.\d .*", table[2])
    assert re.search(r"\| \*\*9[01]\.\d \(8\d\.\d to 9\d\.\d\)\*\* \|", table[2])
    bold = [[cell.is_best for cell in row.cells] for row in report.rows]
    assert [sum(column) for column in zip(*bold, strict=True)] == [1, 1]


def test_report_sentence_of_a_clear_effect_gives_size_interval_seeds_and_where(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    sentence = _finding(build_report(plan, store), "16px").sentence
    assert re.match(
        r"(19|20)\.\d points lower than the base in the mean over 2 benchmarks "
        r"\(95 % interval -2\d\.\d to -1\d\.\d; 2 seeds\); clear on shape \(-(39|40)\.\d, ",
        sentence,
    )
    assert not re.search(r"; clear on [^;]*colour", sentence)


def test_report_sentence_of_a_null_is_no_clear_difference(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    finding = _finding(build_report(plan, store), "32px")
    assert finding.sentence.startswith("no clear difference to the base in the mean over 2 benchmarks (")
    assert "on no single benchmark a clear difference" in finding.sentence
    assert finding.mean is not None
    assert finding.mean.low < 0 < finding.mean.high


def test_report_made_twice_has_equal_bytes(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    fail_trial(store, plan, trial_of(plan, "base", 7))
    first, second = build_report(plan, store), build_report(plan, store)
    assert to_json(first) == to_json(second)
    assert to_markdown(first) == to_markdown(second)


def test_report_as_json_holds_the_numbers(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    loaded = json.loads(to_json(build_report(plan, store)))
    found = loaded["axes"][0]["findings"][1]["mean"]
    assert loaded["study"] == "small"
    assert found["is_clear"] is True
    assert found["low"] < found["effect"] < found["high"]
    assert found["beside"] is not None


def test_report_counts_attempts_that_were_tried_again_by_cause_and_place(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan, but={"base": 7})
    tried = plan.trials[1].id
    for number in (1, 2, 3):
        put_failure_aside(store, plan, tried, number)
    remedy = "micro-batch 4 instead of 8"
    put_failure_aside(store, plan, tried, 4, kind="memory", message="CUDA out of memory", remedy=remedy)
    fail_trial(store, plan, trial_of(plan, "base", 7))
    report = build_report(plan, store)
    assert [failure.attempt for failure in report.tried_again] == [1, 2, 3, 4]
    assert [failure.trial for failure in report.failures] == [trial_of(plan, "base", 7).id]
    lines = (
        "3 attempts (lost): its process is gone (on node-7)",
        "1 attempt (memory): CUDA out of memory (on node-7); then micro-batch 4 instead of 8",
    )
    for text in (to_markdown(report), _terminal(report), to_html(report)):
        assert all(line in text for line in lines)


def test_report_shows_failed_missing_and_diverged_cells_as_such(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan, but={"base": 8, "resolution=32px": 8, "resolution=16px": 8})
    fail_trial(store, plan, trial_of(plan, "resolution=32px", 8))
    finish_trial(store, plan, trial_of(plan, "resolution=16px", 8), {}, diverged=True)
    report = build_report(plan, store)
    text = to_markdown(report)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "missing (seed 8)" in rows[1]
    assert "failed (seed 8)" in rows[2]
    assert "diverged (seed 8)" in rows[3]
    assert "Diverged: r16-s8." in text
    log = store.root / layout.worker_log(plan.study, "r32-s8", 0)
    assert f"- `r32-s8` (lost): CUDA is gone; log: `{log}`" in text
    assert "second line" not in text
    assert _finding(report, "16px").sentence == "not compared: resolution=16px diverged with seed 8."
    one_seed = _finding(report, "32px").sentence
    assert "1 seed)" in one_seed
    assert "the choice itself was not tested" in one_seed
    assert "missing: base with seed 8 (half-done), resolution=32px with seed 8 (failed)" in one_seed


def test_report_of_an_arm_without_any_score_names_what_is_missing(plan: Plan, store: LocalStore) -> None:
    for seed in (7, 8):
        finish_trial(store, plan, trial_of(plan, "base", seed), _answers("base", seed))
    report = build_report(plan, store)
    assert "not compared: missing: resolution=16px with seed 7" in _finding(report, "16px").sentence
    assert "| resolution=16px | 7, 8 | missing | missing | missing |" in to_markdown(report)


def test_report_marks_cells_without_a_signal(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, _answers(trial.arm, trial.seed), constant=("colour",))
    report = build_report(plan, store)
    assert all(row.cells[1].no_signal == (7, 8) for row in report.rows)
    assert not any(row.cells[0].no_signal for row in report.rows)
    assert ", no signal |" in to_markdown(report)
    assert "neither shows a signal on colour" in _finding(report, "32px").sentence


def _guessing(plan: Plan, store: LocalStore, best_constant: float) -> Report:
    """Report a claim about arms that score 41 to 49 points, each on questions of its own."""
    for number, trial in enumerate(plan.trials):
        accuracy = 0.41 + 0.02 * (2 * number % 5)
        scores = {name: answers(accuracy, 2 * number + i) for i, name in enumerate(("shape", "colour"))}
        finish_trial(store, plan, trial, scores, majority=best_constant)
    same = Hypothesis(id="same", claim="As good", pairs=(("base", "resolution=32px"),), expect="equivalent", margin=3)
    return build_report_of(study_of(same), plan, store)


def test_report_of_arms_that_guess_begins_with_it_prices_nothing_and_lets_nobody_lead(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    looking = _guessing(plan, store, best_constant=12.5)
    assert looking.verdicts.verdicts[0].price is not None
    assert looking.verdicts.opening == ""
    report = _guessing(plan, store, best_constant=50.0)
    assert (report.verdicts.verdicts[0].verdict, report.verdicts.verdicts[0].price) == ("undecided", None)
    assert not any(cell.is_best for row in report.rows for cell in (*row.cells, row.mean))
    first = "No arm beats its priors: on shape the best constant answer gets 50.0 points, the highest arm "
    assert to_markdown(report).partition("\n\n")[2].startswith(f"**{first}")
    assert _terminal(report).splitlines()[1].startswith(first)
    assert f'<p class="headline">{first}' in to_html(report)
    assert "More seeds are not priced" in _terminal(report)
    assert "| best constant answer |  | 50.0 | 50.0 | 50.0 |" in to_markdown(report)
    assert 'class="prior"' in to_html(report)


def test_report_passes_over_an_arm_without_a_signal(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        scores = _answers(trial.arm, trial.seed)
        silent = trial.arm == "resolution=16px"
        finish_trial(store, plan, trial, {**scores, "colour": answers(0.95)} if silent else scores,
                     constant=("colour",) if silent else ())  # fmt: skip
    best = [[cell.is_best for cell in row.cells] for row in build_report(plan, store).rows]
    assert [colour for _, colour in best].index(True) != 2
    assert not build_report(plan, store).verdicts.opening


def test_report_tells_unread_answers_and_the_best_reachable_score(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        unparsable = {"shape": 250, "colour": 50} if trial.arm == "base" else {}
        finish_trial(store, plan, trial, _answers(trial.arm, trial.seed), unparsable=unparsable, best_reachable=91.234)
    text = _terminal(build_report(plan, store))
    assert "base on shape: 250 of 400 answers could not be read." in text
    assert "62 % unread" in text
    assert "12 % unread" in text
    assert "base on colour: 50 of 400 answers could not be read." in text
    assert "The best reachable score on shape is 91.2 (protocol official)." in text
    assert "no signal" in text
    assert "base on shape: 250 of 400 answers could not be read." in to_markdown(build_report(plan, store))


def test_report_refuses_to_compare_arms_scored_on_other_examples(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        first = 100 if trial.arm == "resolution=32px" else 0
        finish_trial(store, plan, trial, _answers(trial.arm, trial.seed), first_id=first)
    report = build_report(plan, store)
    refused = _finding(report, "32px")
    assert refused.mean is None
    assert "base (seed 7) and resolution=32px (seed 7) must be scored on the same examples" in refused.sentence
    assert _finding(report, "16px").mean is not None


def test_report_lists_results_whose_examples_are_lost(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    store.remove(layout.evaluation_examples(key_of("evaluation r64-s7"), "shape"))
    report = build_report(plan, store)
    assert [problem.split(":")[0] for problem in report.problems] == ["r64-s7 on shape"]
    assert "(1 half-done)" in to_markdown(report)  # a run scores it again


def test_report_tells_what_sharing_saved_and_what_it_cost(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    text = to_markdown(build_report(plan, store))
    assert "Stages: 12 counted by trial, 8 as work." in text
    assert "Core-seconds: 120.0 one by one, 84.0 spent (30 % saved)." in text
    assert "| base | 2 | 28.0 | 40.0 | 60.0 |" in text


def test_report_says_when_compared_arms_ran_under_other_versions(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        other = {**PROVENANCE, "torch": "2.13"} if trial.arm == "resolution=16px" else PROVENANCE
        own = replace(plan, nodes={k: replace(n, key=key_of(trial.id + k)) for k, n in plan.nodes.items()})
        finish_trial(store, own, trial, _answers(trial.arm, trial.seed), provenance=other)
    unkeyed = replace(plan, nodes={k: replace(n, key=None) for k, n in plan.nodes.items()})
    report = build_report(unkeyed, store)
    assert "(torch: 2.13 against 2.14)" in _finding(report, "16px").sentence
    assert "other conditions" not in _finding(report, "32px").sentence
    text = to_markdown(report)
    assert "The same for all: device cpu." in text
    assert "Differs: torch: 2.13 (resolution=16px), 2.14 (base, resolution=32px)" in text


def test_report_of_one_benchmark_has_no_mean_over_benchmarks(store: LocalStore) -> None:
    plan = two_stage_plan(benchmarks=("shape",))
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": _answers(trial.arm, trial.seed)["shape"]})
    report = build_report(plan, store)
    assert "| arm | seeds | shape (n 400) |" in to_markdown(report)
    assert "lower than the base on shape" in _finding(report, "16px").sentence


def test_report_of_a_study_without_benchmarks_says_that_nothing_is_scored(store: LocalStore) -> None:
    plan = replace(two_stage_plan(), benchmarks=())
    for trial in plan.trials:
        finish_trial(store, plan, trial, {})
    assert "Nothing is scored yet" in _terminal(build_report(plan, store))
    assert "NaN" not in to_json(build_report(plan, store))


def test_report_groups_arms_that_differ_in_several_axes_apart(plan: Plan, store: LocalStore) -> None:
    def with_crop(arm: Arm) -> Arm:
        return replace(arm, values={**arm.values, "resize": "crop" if arm.name == "resolution=16px" else "naive"})

    crossed = replace(plan, arms=tuple(map(with_crop, plan.arms)), axes=("resolution", "resize"))
    _finish_all(store, crossed)
    report = build_report(crossed, store)
    assert [(axis.axis, [f.label for f in axis.findings]) for axis in report.axes] == [
        ("resolution", ["32px"]),
        ("", ["resolution=16px"]),
    ]
    assert "### Other arms" in to_markdown(report)


def test_report_lists_exclusions_and_trials_no_longer_asked_for(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "resolution=16px", 7), _answers("resolution=16px", 7))
    smaller = replace(two_stage_plan(resolutions=(64, 32)), excluded=(Exclusion("resolution=8px", "below a patch"),))
    text = to_markdown(build_report(smaller, store))
    assert "- excluded: resolution=8px (below a patch)" in text
    assert "- no longer asked for, still on storage: `r16-s7`" in text


def test_report_on_a_terminal_prints_brackets_of_labels_as_they_are(plan: Plan, store: LocalStore) -> None:
    def renamed(arm: Arm) -> Arm:
        return replace(arm, values={"resolution": "[bold]"}) if arm.name != "base" else arm

    _finish_all(store, plan)
    text = _terminal(build_report(replace(plan, arms=tuple(map(renamed, plan.arms))), store))
    assert "[bold]: " in text
    assert "resolution=16px" in text


def test_report_without_a_base_arm_shows_the_table_only(plan: Plan, store: LocalStore) -> None:
    _finish_all(store, plan)
    without = replace(plan, arms=plan.arms[1:], trials=tuple(t for t in plan.trials if t.arm != "base"))
    report = build_report(without, store)
    assert report.axes == ()
    assert "Differences to the base" not in to_markdown(report)


def test_report_escapes_bars_in_markdown_cells(plan: Plan, store: LocalStore) -> None:
    arms = (plan.arms[0], replace(plan.arms[1], name="a|b"))
    trials = tuple(
        replace(t, arm="a|b") if t.arm != "base" else t for t in plan.trials if t.arm in ("base", "resolution=32px")
    )
    renamed = replace(plan, arms=arms, trials=trials)
    for trial in trials:
        finish_trial(store, renamed, trial, {"shape": answers(0.5, trial.seed), "colour": answers(0.5, trial.seed)})
    assert "| a\\|b | 7, 8 |" in to_markdown(build_report(renamed, store))


def test_a_named_arm_is_told_by_its_name_and_is_no_point_of_an_axis(plan: Plan, store: LocalStore) -> None:
    arms = tuple(
        replace(arm, name="small", by_axes=False) if arm.name == "resolution=16px" else arm for arm in plan.arms
    )
    renamed = {"resolution=16px": "small"}
    trials = tuple(replace(trial, arm=renamed.get(trial.arm, trial.arm)) for trial in plan.trials)
    plan = replace(plan, arms=arms, trials=trials)
    for trial in plan.trials:
        arm = {"small": "resolution=16px"}.get(trial.arm, trial.arm)
        finish_trial(store, plan, trial, _answers(arm, trial.seed))
    report = build_report(plan, store)
    assert [(axis.axis, [finding.label for finding in axis.findings]) for axis in report.axes] == [
        ("resolution", ["32px"]),
        ("", ["small"]),
    ]
    assert [point.arm for curve in report.curves for point in curve.points] == ["resolution=32px", "base"]
    assert report.verdicts.aggregates.factors is not None
    assert not [factor for factor in report.verdicts.aggregates.factors.factors if "16px" in factor.term]


def _dropping(plan: Plan) -> Plan:
    """Let every stage drop the records of its source whose images are missing."""
    lossy = source().model_copy(update={"without": ("missing",)})
    mix = MixSpec(name="m", parts=(MixPart(source=lossy, drop=("missing",)),))

    def changed(trial: PlannedTrial) -> PlannedTrial:
        stages = tuple(one.model_copy(update={"data": mix}) for one in trial.spec.stages)
        return replace(trial, spec=replace(trial.spec, stages=stages))

    return replace(plan, trials=tuple(map(changed, plan.trials)))


@pytest.mark.parametrize("count", [0, 1200])
def test_provenance_says_how_many_records_were_left_out_for_their_images(
    plan: Plan, store: LocalStore, count: int
) -> None:
    plan = _dropping(plan)
    _finish_all(store, plan)
    name = source_name(plan.trials[0].spec.stages[0].data.parts[0].source)
    for node in plan.trials[0].stage_nodes(plan):
        finish_stage(store, node, left_out={name: count} if count else {})
    report = build_report(plan, store)
    line = "Left out, as their images are lost: 1,200 records of shapes@1 (missing)."
    assert [line in to_markdown(report), line in to_html(report)] == [count > 0, count > 0]
    found = json.loads(to_json(report))["provenance"].get("left_out")
    assert found == ([{"lost": "missing", "records": 1200, "source": "shapes@1"}] if count else None)


@pytest.mark.parametrize("form", FORMS)
def test_scores_on_one_example_are_not_called_unscored_in_any_form(plan: Plan, store: LocalStore, form: Form) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, {name: np.ones(1) for name in ("shape", "colour")})
    report = build_report(plan, store)
    text = FORMS[form](report)
    assert "Nothing is scored" not in text
    assert "refused" in text
    assert "refused" in _terminal(report)


def test_the_refused_mean_of_one_example_is_explained(plan: Plan, store: LocalStore) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, {name: np.ones(1) for name in ("shape", "colour")})
    text = to_markdown(build_report(plan, store))
    assert "base on shape is refused: benchmark shape: an interval needs at least two images" in text


def test_report_shows_what_arms_answer_without_images_and_counts_it_nowhere(plan: Plan, store: LocalStore) -> None:
    sets = tuple(b.model_copy(update={"images": images}) for images in ("blank", "swapped") for b in plan.benchmarks)
    blind = replace(plan, blind=BlindRun(sets, is_declared=True))
    for trial in blind.trials:
        scores = _answers(trial.arm, trial.seed)
        other = {f"{name}@{images}": answers(0.25) for name in scores for images in ("blank", "swapped")}
        finish_trial(store, blind, trial, scores | other)
    report, before = build_report(blind, store), build_report(plan, store)
    assert (report.columns, report.priors) == (before.columns, before.priors)
    numbers = [[[cell.estimate for cell in (*row.cells, row.mean)] for row in made.rows] for made in (report, before)]
    assert numbers[0] == numbers[1]
    for form in (to_markdown, to_html):
        assert "Without images" in form(report)
        assert "Without images" not in form(before)
    best = next(row for row in report.rows if row.arm == "base").cells[0].by_seed
    own = sum(best.values()) / len(best)
    assert f"| shape | base | {own:.1f} | 25.0 | 25.0 | {2500 / own:.0f} % |" in to_markdown(report)
    assert re.search(rf"shape +base +{own:.1f} +25.0 +25.0 +{2500 / own:.0f} %", _terminal(report))
    kinds = [line.split(",")[0] for line in FORMS["csv"](report).splitlines()]
    assert kinds.count("blank") == kinds.count("swapped") == 6
    assert {kind: kinds.count(kind) for kind in ("score", "mean", "difference")} == {
        kind: [line.split(",")[0] for line in FORMS["csv"](before).splitlines()].count(kind)
        for kind in ("score", "mean", "difference")
    }
