"""What a report says in words, the same in every view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.analysis.collapse import find_collapses
from orchestrator.analysis.number_text import listed
from orchestrator.analysis.verdict_model import Verdict
from orchestrator.analysis.verdict_sentences import CHECKPOINTS_DIFFER, HOLDS, state_text
from orchestrator.reporting.provenance import Condition
from orchestrator.reporting.report_model import (
    FEWEST_QUESTIONS,
    Absence,
    Cell,
    Column,
    FailedTrial,
    Finding,
    Report,
    Sharing,
    TypeScores,
)
from search_spaces.quantities import Device, device_time, number_of

NOTHING = "Nothing is scored yet. `ablate run` trains and scores the trials; what is done already is kept."
_DEVICE_SECONDS: Mapping[Device, str] = {
    "GPU": "GPU-seconds are wall seconds times the GPUs",
    "core": "Core-seconds are wall seconds times the CPU cores",
    "worker": "Worker-seconds are wall seconds times the workers",
    "device": "Device-seconds are wall seconds times the GPUs of trials on GPUs, and times the workers of others",
}
ABSENCES: Mapping[Absence, str] = {
    "diverged": "diverged",
    "failed": "failed",
    "running": "running",
    "changed": "data changed",
    "half-done": "missing",
    "pending": "missing",
    "unreadable": "unreadable",
}
"""Why a cell has no number, in words."""
_ARMS_NAMED = 5
_FULL_MARKS = 99.95
"""A best reachable score from here on is shown as 100.0, and needs no note."""


def state_line(report: Report) -> str:
    """State how many trials are done, and what became of the others."""
    states = [f"{count} {state}" for state, count in report.counts.items() if count and state != "done"]
    rest = f" ({', '.join(states)})" if states else ""
    diverged = f" Diverged: {', '.join(report.diverged)}." if report.diverged else ""
    return f"{report.counts['done']} of {report.n_trials} trials are done{rest}.{diverged}"


def failure_line(failure: FailedTrial) -> str:
    """Say kind, message and place of a failed attempt."""
    details = [*([failure.where] if failure.where else []), *([f"attempt {failure.attempt}"] * (failure.attempt > 1))]
    return f"({failure.kind}): {failure.message}" + (f" ({', '.join(details)})" if details else "")


def tried_again_lines(report: Report) -> list[str]:
    """Count the failed attempts that were followed by another one, by what failed and where."""
    counts = Counter((failed.kind, failed.message, failed.where, failed.remedy) for failed in report.tried_again)
    lines = []
    for (kind, message, where, remedy), count in counts.most_common():
        place = f" ({where})" if where else ""
        then = f"; then {remedy}" if remedy else ""
        lines.append(f"{number_of(count, 'attempt')} ({kind}): {message}{place}{then}")
    return lines


def headline(report: Report) -> str:
    """State the answer in one line, after what has to be known before it."""
    return f"{report.verdicts.opening} {answer_line(report)}".strip()


def title_line(report: Report) -> str:
    """State the answer in the few words of a title."""
    return report.verdicts.opening.partition(":")[0] or answer_line(report)


def answer_line(report: Report) -> str:
    """State the answer in one line: how many claims hold, do not, are open; or how many arms differ clearly."""
    if not report.has_results:
        return "Nothing is scored yet."
    verdicts = report.verdicts.verdicts
    return _claims_line(verdicts) if verdicts else _arms_line(report.findings)


CLAIM_VERBS: Mapping[str, tuple[str, str]] = {
    HOLDS[True]: ("holds", "hold"),
    HOLDS[False]: ("does not hold", "do not hold"),
    CHECKPOINTS_DIFFER: ("is open, though these checkpoints differ", "are open, though these checkpoints differ"),
    HOLDS[None]: ("is open", "are open"),
}
"""What became of claims -> of one, of several."""


def _claims_line(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(state_text(verdict) for verdict in verdicts)
    parts = [f"{counts[state]} {verbs[counts[state] != 1]}" for state, verbs in CLAIM_VERBS.items() if counts[state]]
    if len(parts) == 1:
        singular, plural = CLAIM_VERBS[state_text(verdicts[0])]
        return f"The claim {singular}." if len(verdicts) == 1 else f"All {len(verdicts)} claims {plural}."
    return f"Of {number_of(len(verdicts), 'claim')}, {listed(parts)}."


def _arms_line(findings: Sequence[Finding]) -> str:
    compared = [finding.main for finding in findings if finding.main is not None]
    if not compared:
        return "No arm can be compared with the base yet."
    n_clear = sum(difference.is_clear for difference in compared)
    differ = "differs" if n_clear == 1 else "differ"
    scopes = {difference.scope for difference in compared}
    as_trained = " One seed: these trained weights were compared, not the choices." if scopes == {"checkpoints"} else ""
    return f"Of {number_of(len(compared), 'arm')}, {n_clear} {differ} clearly from the base.{as_trained}"


def size_line(report: Report) -> str:
    """State the size of the study: `8, each with seeds 7, 8 on 4 benchmarks`."""
    return f"{len(report.rows)}, each with {seeds_text(report.seeds)} on {number_of(len(report.columns), 'benchmark')}"


def cost_line(report: Report) -> str:
    """State what the study has cost so far, shared work counted once, and what sharing has saved."""
    share = report.sharing
    so_far = "" if report.counts["done"] == report.n_trials else " so far"
    return f"{_spent(report)}{so_far}{_saved(share)}"


def costs_note(report: Report) -> str:
    """Explain the columns of the table of costs."""
    failed = report.sharing.failed_attempts
    lost = f" What {number_of(failed, 'failed attempt')} lost is not counted." if failed else ""
    return (
        f"{_DEVICE_SECONDS[report.device]} that the arm's trials spent; 'alone' is what they would have spent with all "
        f"their stages to themselves. The study has cost {_spent(report)}: its stages and scores on storage, each "
        f"counted once, whichever trial or study has produced it; caches of features come on top.{lost}"
    )


def cell_text(cell: Cell, column: Column | None, *, has_limits: bool = True) -> str:
    """Write a cell: `87.3 (85.1 to 89.5)` and what must be said with it; or why there is no number."""
    if cell.estimate is None:
        return "refused" if cell.refused is not None else absence_text(cell)
    low, high = cell.estimate.interval.low, cell.estimate.interval.high
    limits = f" ({low:.1f} to {high:.1f})" if has_limits else ""
    return ", ".join([f"{cell.estimate.value:.1f}{limits}", *remarks(cell, column)])


def absence_text(cell: Cell, *, always_seeds: bool = False) -> str:
    """Say why there is no number: `missing`, or `failed (seed 7), missing (seed 8)`."""
    reasons = _absences(cell)
    return ", ".join(_with_seeds(reasons)) if always_seeds or len(reasons) > 1 else next(iter(reasons))


def remarks(cell: Cell, column: Column | None) -> list[str]:
    """Collect what must be said with a number.

    Its n where it is not the column's, the share of answers that could not be read, no signal, seeds without a score.
    """
    parts = []
    if cell.estimate is not None and column is not None and column.n_examples is None:
        parts.append(f"n {cell.estimate.n_examples}")
    if cell.unread_share:
        parts.append(f"{share_text(cell.unread_share)} unread")
    if cell.no_signal:
        everywhere = cell.estimate is None or set(cell.no_signal) >= set(cell.estimate.seeds)
        parts.append("no signal" if everywhere else f"no signal ({seeds_text(cell.no_signal)})")
    return parts + _with_seeds(_absences(cell))


def share_text(share: float) -> str:
    """Write a share, 0 to 1: `3 %`; one that is no 0 and rounds to it as `< 1 %`."""
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.005 else "< 1 %"


def prior_text(value: float | None) -> str:
    """Write the score of what needs no image."""
    return "" if value is None else f"{value:.1f}"


def prior_note(prior: float | None) -> str:
    """Explain the dashed line of a figure; empty where there is none."""
    return "" if prior is None else f" Dashed, where the axis reaches it: what needs no image gets {prior:.1f} at best."


def seeds_text(seeds: Sequence[int]) -> str:
    """Name seeds: `seed 7`, `seeds 7, 8`."""
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def table_notes(report: Report) -> list[str]:
    """Explain what the intervals of the table cover, and which means are refused."""
    cells = [cell for row in report.rows for cell in (*row.cells, row.mean)]
    estimates = [cell.estimate for cell in cells if cell.estimate is not None]
    notes = []
    if any(estimate.scope == "recipe" for estimate in estimates):
        notes.append("Intervals cover seeds and images (clusters of questions about one image).")
    if any(estimate.scope == "checkpoints" for estimate in estimates):
        notes.append("With one seed an interval covers images only: it is that of these weights, not of the recipe.")
    if any(cell.no_signal for cell in cells):
        meaning = (
            "not shown to score higher than what needs no image (last lines of the table) and than the arm's own "
            "answers exchanged among questions of one type; or one answer throughout"
        )
        is_unread = any(cell.no_signal and cell.unread for cell in cells)
        notes.append(f"no signal: {meaning}{', or answers that mostly could not be read' if is_unread else ''}.")
        notes.append("The highest score of a column is that of an arm with a signal; one without is passed over.")
    refusals = [
        f"{row.arm} on {column.benchmark} is refused: {cell.refused}"
        for row in report.rows
        for column, cell in zip(report.columns, row.cells, strict=True)
        if cell.refused is not None
    ]
    return notes + [unread_line(report)] * report.has_results + _collapses(report) + _score_notes(report) + refusals


def unread_line(report: Report) -> str:
    """State how many answers could not be read, of all arms together and of the arm with the most."""
    cells = [(row.arm, column.benchmark, cell) for row in report.rows
             for column, cell in zip(report.columns, row.cells, strict=True) if cell.unparsable]  # fmt: skip
    if not any(cell.unread_share for _, _, cell in cells):
        return "Every answer could be read."
    overall = sum(cell.unread_share for _, _, cell in cells) / len(cells)
    arm, benchmark, most = max(cells, key=lambda each: each[2].unread_share)
    return (
        f"unread: {share_text(overall)} of the answers, in the mean over arms and benchmarks, could not be read by the "
        f"rules of the benchmark; the largest share, {share_text(most.unread_share)}, is that of {arm} on {benchmark}."
    )


TYPES_NOTE = (
    "The same scores and rules as above, on the questions of each type alone. Types are those of the benchmark. A "
    "difference between two types is no finding by itself: none of these numbers is tested."
)


def types_title(scores: TypeScores) -> str:
    """Name a way in which a benchmark sorts its questions: `vqav2 by answer type`."""
    return f"{scores.benchmark} by {scores.kind.replace('_', ' ')}"


def types_note(scores: TypeScores) -> str:
    """State which types of questions are not shown; empty where all are."""
    left = scores.types_left_out
    if not scores.types:
        return f"Not shown: of its {left} types, fewer than two have {FEWEST_QUESTIONS} questions or more."
    return (
        "" if not left else f"{number_of(left, 'type')} with fewer questions {'is' if left == 1 else 'are'} not shown."
    )


def _collapses(report: Report) -> list[str]:
    """Name seeds with which an arm scores far below its others: a mean, and its interval, hide them."""
    return [
        f"On {column.benchmark}, {collapse.sentence}."
        for row in report.rows
        for column, cell in zip(report.columns, row.cells, strict=True)
        for collapse in find_collapses(row.arm, cell.by_seed)
    ]


def _score_notes(report: Report) -> list[str]:
    """Tell what a perfect model would get where that is below 100, and which answers could not be read."""
    best = [
        f"The best reachable score on {column.benchmark} is {column.best_reachable:.1f} (protocol {column.protocol})."
        for column in report.columns
        if column.best_reachable is not None and column.best_reachable < _FULL_MARKS
    ]
    unread = [
        f"{row.arm} on {column.benchmark}: {cell.unread}."
        for row in report.rows
        for column, cell in zip(report.columns, row.cells, strict=True)
        if cell.unread
    ]
    return best + unread


def how_judged(report: Report) -> str:
    """Explain how a difference is judged clear, and what that does not catch."""
    differences = [d for finding in report.findings for d in (finding.mean, *finding.benchmarks) if d is not None]
    text = (
        "Differences are paired by example and seed. A difference is clear if its 95 % interval excludes 0 and it "
        f"stands out among {comparisons_text(report)} (Benjamini-Hochberg, q = 0.05)."
    )
    if any(len(d.seeds) == 2 for d in differences):
        text += " Two seeds know little of their own spread, and make wide intervals."
    return text + " No clear difference does not mean that there is none."


def comparisons_text(report: Report) -> str:
    """Name the comparisons that are judged together: `all 35 comparisons of this report`."""
    n = report.n_comparisons
    return "the one comparison of this report" if n == 1 else f"all {n} comparisons of this report"


def losses_note(report: Report) -> str:
    """State how many losses a large study leaves out, and which have diverged; empty where there is nothing to say."""
    shown = {(curve.arm, curve.seed) for curve in report.losses}
    left_out = report.counts["done"] - len(shown)
    diverged = sorted({f"{curve.arm} (seed {curve.seed})" for curve in report.losses if curve.is_diverged})
    notes = [f"Losses of {number_of(left_out, 'trial')} are not shown."] if left_out > 0 else []
    return " ".join(notes + ([f"Diverged: {', '.join(diverged)}."] if diverged else []))


def sharing_line(report: Report) -> str:
    """State how much work was shared, and what that has saved."""
    sharing = report.sharing
    text = f"Stages: {sharing.stages_by_trial} counted by trial, {sharing.stages} as work."
    if sharing.features:
        text += f" Feature caches: {sharing.features_by_trial} counted by trial, {sharing.features} as work."
    spent, alone = sharing.gpu_seconds, sharing.gpu_seconds_alone
    saved = f" ({100 * (alone - spent) / alone:.0f} % saved)" if alone > 0 else ""
    seconds = f"{report.device[0].upper()}{report.device[1:]}-seconds"
    return f"{text} {seconds}: {alone:.1f} one by one, {spent:.1f} spent{saved}."


def planned_line(report: Report) -> str | None:
    """Compare what stages on GPUs took with what the plan had estimated; None where there is nothing to compare."""
    compared = [work for work in report.work if work.planned_gpu_seconds]
    planned = sum(work.planned_gpu_seconds or 0.0 for work in compared)
    if not planned:
        return None
    actual = sum(work.gpu_seconds for work in compared)
    kinds = sorted({kind for work in compared for kind in work.planned_on})
    return (
        f"The stages that are done took {device_time(actual, 'GPU')}, {actual / planned:.2f} times the "
        f"{device_time(planned, 'GPU')} that the plan estimates for {listed(kinds)}."
    )


def provenance_lines(report: Report) -> list[str]:
    """State the conditions that all arms share, those that differ, and which records were left out."""
    conditions = report.provenance.conditions
    equal = [f"{c.name} {value}" for c in conditions if len(c.arms) == 1 for value in c.arms]
    lines = [f"The same for all: {', '.join(equal)}."] if equal else []
    lines += [f"Differs: {condition_line(c)}" for c in conditions if len(c.arms) > 1]
    dropped = [f"{number_of(one.records, 'record')} of {one.source} ({one.lost})" for one in report.provenance.left_out]
    return lines + ([f"Left out, as their images are lost: {', '.join(dropped)}."] if dropped else [])


def condition_line(condition: Condition) -> str:
    """State which arms ran with which value of a condition."""
    parts = []
    for value, arms in condition.arms.items():
        more = f" and {len(arms) - _ARMS_NAMED} more" if len(arms) > _ARMS_NAMED else ""
        parts.append(f"{value} ({', '.join(arms[:_ARMS_NAMED])}{more})")
    return f"{condition.name}: {', '.join(parts)}"


def _spent(report: Report) -> str:
    """Write what the results have cost, GPUs and CPUs apart."""
    parts = [device_time(seconds, device) for device, seconds in report.sharing.by_device.items()]
    return " and ".join(parts or [device_time(0.0, report.device)])


def _saved(sharing: Sharing) -> str:
    saved = sharing.gpu_seconds_alone - sharing.gpu_seconds
    if saved <= 0:
        return ""
    return f"; {100 * saved / sharing.gpu_seconds_alone:.0f} % saved by sharing equal work"


def _absences(cell: Cell) -> dict[str, list[int]]:
    reasons: dict[str, list[int]] = {}
    for seed, absence in cell.absent.items():
        reasons.setdefault(ABSENCES[absence], []).append(seed)
    return reasons


def _with_seeds(reasons: Mapping[str, Sequence[int]]) -> list[str]:
    return [f"{word} ({seeds_text(seeds)})" for word, seeds in reasons.items()]
