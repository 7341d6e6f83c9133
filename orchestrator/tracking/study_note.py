"""Write the note of a study in MLflow: the Markdown on top of its run and its experiment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate

from orchestrator.reporting.markdown_text import cell, inline
from orchestrator.reporting.summary import StudySummary
from search_spaces.plan import Arm, Plan
from search_spaces.quantities import number_of

NOTE_SIZE = 8_000
"""Characters of a run's note that MLflow keeps; the rest is cut off."""

STATEMENTS_SIZE = 2_200
TABLE_SIZE = 2_800
"""Characters of what grows with the study, so that what follows it is never lost."""

BEST = 5

READING = """
## How to read

- A trial is an arm with a seed, and one run, nested in the study's. An arm differs from the base in what the table says
  and in nothing else. Seeds are replicates. The runs called `(mean)` are arms over their seeds: `arm/<benchmark>`, with
  the limits of the 95 % interval as `_low` and `_high`.
- The saved views are in the menu on the top right of the experiment's page.
- `eval/<benchmark>/points` is 100 x the mean score of an example, beside the benchmark's own metrics, and `eval/mean`
  its mean over the benchmarks; `best/` is the best of a curve; `train/` goes by optimizer step over all stages;
  `system/` by seconds. `cost/gpu_seconds` was spent by this trial, `cost/gpu_seconds_alone` counts all of its stages,
  those that it shares included, both in {device}-seconds; `cfg/` mirrors numeric axes; `samples/` is about answers
  that no mean counts.
"""

COMMANDS = """
## Commands

    ablate status {study}
    ablate report {study}
    ablate logs TRIAL
    ablate sync {study}      # send again what a server may lack
"""


def study_note(plan: Plan, written: datetime, summary: StudySummary | None = None) -> str:
    """Write the note of a study, with what it has shown so far.

    Args:
        plan: of the study.
        written: the time of writing: a reader may see the note long after.
        summary: of what it has shown; None before anything was scored.
    """
    parts = [
        f"# {inline(plan.question)}\n",
        f"{plan.study}: {number_of(len(plan.arms), 'arm')}, {number_of(len(plan.trials), 'trial')}. "
        f"This note was written {written.astimezone(UTC):%Y-%m-%d %H:%M} UTC.\n",
        *(_shown_so_far(summary) if summary is not None and summary.arms else ()),
        "## Arms\n",
        "| arm | difference from the base | seeds |",
        "|---|---|---|",
        *_fitting(_arm_rows(plan), TABLE_SIZE, "see plan.json"),
        READING.format(device=plan.device),
        COMMANDS.format(study=plan.study),
    ]
    return "\n".join(parts)[:NOTE_SIZE]


def _shown_so_far(summary: StudySummary) -> list[str]:
    statements = [f"- {inline(statement)}" for statement in summary.statements]
    best = [
        f"| {cell(arm.arm)}{'' if arm.has_signal else ' (no signal)'} "
        f"| {arm.numbers['mean']:.1f} | {arm.numbers['mean_low']:.1f} to "
        f"{arm.numbers['mean_high']:.1f} | {arm.numbers['seeds']:.0f} |"
        for arm in summary.best_arms[:BEST]
    ]
    table = ["## Best arms\n", "| arm | mean | 95 % interval | seeds |", "|---|--:|---|--:|", *best, ""] if best else []
    shown = _fitting(statements, STATEMENTS_SIZE, "see `ablate report`")
    return [*(["## Shown so far\n", *shown, ""] if statements else []), *table]


def _arm_rows(plan: Plan) -> list[str]:
    seeds = plan.seeds_by_arm()
    rows = [
        f"| {cell(arm.name)} | {cell(_difference(arm))} | {', '.join(map(str, seeds.get(arm.name, ())))} |"
        for arm in plan.arms
    ]
    return rows + [f"| {cell(exclusion.arm)} | not run: {cell(exclusion.reason)} | |" for exclusion in plan.excluded]


def _fitting(rows: Iterable[str], size: int, where: str) -> list[str]:
    """Return as many rows as fit in `size` characters, and how many are left out and `where` they are."""
    rows = list(rows)
    shown = sum(reached <= size for reached in accumulate(len(row) + 1 for row in rows))
    return [*rows[:shown], *([f"\n... and {len(rows) - shown} more, {where}."] if shown < len(rows) else [])]


def _difference(arm: Arm) -> str:
    return ", ".join(f"{path} = {json.dumps(value)}" for path, value in arm.difference.items()) or "(the base)"
