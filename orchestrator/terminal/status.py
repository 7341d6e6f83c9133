"""Print a study's status in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.state.ledger import STATES, TrialState
from orchestrator.state.status import StudyStatus, TrialStatus
from search_spaces.quantities import duration, number_of
from search_spaces.seeds import seeds_by_arm_text

_LISTED = 20
"""Trials shown per state on a terminal; the rest are counted."""


_COLOURS: Mapping[TrialState, str] = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "changed": "yellow",
    "half-done": "yellow",
    "pending": "dim",
}


def to_terminal(status: StudyStatus, console: Console) -> None:
    """Print totals, then what a person may want to act on: failures, what runs, what changed. The rest is counted."""
    counted = [(f"{count} {state}", _COLOURS[state]) for state, count in status.counts.items() if count]
    console.print(Text.assemble((status.study, "bold"), ": ", *_joined(counted or [("no trials", "dim")])))
    if status.steps is not None:
        left = f", about {duration(status.eta_s)} of training left" if status.eta_s is not None else ""
        scores = f", {status.scored:,} of {status.to_score:,} scores" if status.to_score else ""
        console.print(Text(f"{status.steps_done:,} of {status.steps:,} steps{scores}{left}"))
    for run in status.runs:
        console.print(Text.assemble(("run", "cyan"), f" of {run}"))
    if status.added_seeds:
        console.print(Text(f"seeds added by `run --until-decided`: {seeds_by_arm_text(status.added_seeds)}"))
    by_state = {state: [trial for trial in status.trials if trial.state == state] for state in STATES}
    running = by_state["running"]
    if running:
        console.print(_running_table(running[:_LISTED]))
        _print_rest(len(running), "running", console)
    if waiting := [trial for trial in status.trials if trial.waits_for is not None]:
        console.print(Text(f"{len(waiting)} wait for a stage that is being trained for another trial"))
    _print_failures(by_state["failed"], console)
    if again := [trial for trial in status.trials if trial.failed_attempts and trial.state != "failed"]:
        attempts = number_of(sum(trial.failed_attempts for trial in again), "failed attempt")
        console.print(Text.assemble(("tried again", "yellow"), f" {number_of(len(again), 'trial')}, after {attempts}"))
    for trial in by_state["half-done"][:_LISTED]:
        at = f", stopped in {trial.stage}{_of(trial)}" if trial.step is not None else ""
        at = ", trained, to be scored" if trial.stage == "evaluation" else at
        console.print(Text.assemble(("half-done", "yellow"), f" {trial.id}{at}; kept: {_kept(trial)}"))
    _print_rest(len(by_state["half-done"]), "half-done", console)
    restarted = [(trial.id, trial.restarted) for trial in status.trials if trial.restarted is not None]
    for name, sentence in restarted[:_LISTED]:
        console.print(Text.assemble(("restarted", "yellow"), f" {name}: {sentence}"), soft_wrap=True)
    if len(restarted) > _LISTED:
        console.print(Text(f"and {len(restarted) - _LISTED} more restarted"))
    if diverged := [trial.id for trial in status.trials if trial.diverged]:
        console.print(Text.assemble(("diverged", "yellow"), f" {_listed(diverged)}"))
    if changed := [trial.id for trial in by_state["changed"]]:
        console.print(Text.assemble(("changed", "yellow"), f" data or weights changed since: {_listed(changed)}"))
    if status.removed:
        console.print(
            Text.assemble(("removed", "dim"), f" on storage, no longer in the study: {_listed(status.removed)}")
        )


def _print_failures(failed: Iterable[TrialStatus], console: Console) -> None:
    """Print one line for each kind of failure, with its first trial and log."""
    by_failure = sorted(failed, key=lambda trial: trial.failure or "")
    groups = [(failure, list(group)) for failure, group in groupby(by_failure, key=lambda trial: trial.failure)]
    for failure, group in groups[:_LISTED]:
        others = f" and {len(group) - 1} more" if len(group) > 1 else ""
        tries = f" (attempt {group[0].failed_attempts})" if group[0].failed_attempts > 1 else ""
        console.print(Text.assemble(("failed", "red"), f" {group[0].id}{others}: {failure or 'no message'}{tries}"))
        if group[0].log:
            console.print(Text(f"  log: {group[0].log}"), soft_wrap=True)
    if len(groups) > _LISTED:
        console.print(Text(f"and {len(groups) - _LISTED} more kinds of failure"))


def _running_table(trials: list[TrialStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("running", "stage", "step", "loss", "samples/s", "left", "by"):
        table.add_column(name, justify="left" if name in ("running", "stage", "by") else "right", overflow="fold")
    for trial in trials:
        table.add_row(
            Text(trial.id + (f" (no sign for {duration(trial.silent_s)})" if trial.silent_s else "")),
            Text(trial.stage or "starting"),
            _of(trial).strip(),
            "" if trial.loss is None else f"{trial.loss:.4f}",
            "" if trial.samples_per_s is None else f"{trial.samples_per_s:.1f}",
            "" if trial.eta_s is None else duration(trial.eta_s),
            Text(trial.place or ""),
        )
    return table


def _kept(trial: TrialStatus) -> str:
    """Write what storage keeps of a trial: caches of features, steps by checkpoints, and scores."""
    caches = f"{trial.features_kept} of {trial.features} feature caches, " if trial.features else ""
    needed = "" if trial.steps_needed is None else f" of {trial.steps_needed:,}"
    return f"{caches}{trial.steps_kept:,}{needed} steps, {trial.scored} of {trial.to_score} scores"


def _of(trial: TrialStatus) -> str:
    if trial.step is None:
        return ""
    return f" {trial.step}" if trial.steps is None else f" {trial.step}/{trial.steps}"


def _print_rest(count: int, state: TrialState, console: Console) -> None:
    if count > _LISTED:
        console.print(Text(f"and {count - _LISTED} more {state}"))


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


def _joined(parts: list[tuple[str, str]]) -> list[str | tuple[str, str]]:
    joined: list[str | tuple[str, str]] = []
    for part in parts:
        joined += [", ", part] if joined else [part]
    return joined
