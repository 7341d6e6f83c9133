"""Say what runs of a study took, and what was expected when they began."""

from __future__ import annotations

import time
from collections.abc import Mapping

from orchestrator.analysis.number_text import listed
from orchestrator.reporting.report_model import ComparedRun, Report
from search_spaces.quantities import Device, device_time, duration, number_of

SHOWN_RUNS = 5

RESTS_ON: Mapping[str, str] = {
    "measured": "stages and scores that were done before",
    "estimated": "the operations of stages and the GPU's peak",
    "assumed": "assumed speeds",
}
"""Kind of number -> what a forecast rests on that has it (docs/planning-costs.md)."""


def run_lines(report: Report) -> list[str]:
    """Compare what the last runs took with what was expected when they began, one line each."""
    return [_run_line(run, report.device) for run in report.runs[-SHOWN_RUNS:]]


def _run_line(run: ComparedRun, device: Device) -> str:
    forecast, usage = run.forecast, run.usage
    began = time.strftime("%Y-%m-%d %H:%M", time.gmtime(run.began / 1000))
    wall, used = forecast.wall_s, forecast.device_s
    trials = number_of(forecast.trials, "trial")
    part = trials if usage.done == forecast.trials else f"{usage.done} of {trials} were done"
    basis = [f"{share:.0%} {RESTS_ON[source]}" for source, share in forecast.sources.items() if source in RESTS_ON]
    times = [
        f"{duration(usage.wall_s)} where {duration(wall.expected)} ({duration(wall.low)} to {duration(wall.high)})",
        f"{device_time(usage.device_s, device)} where {device_time(used.expected, device)} "
        f"({device_time(used.low, device)} to {device_time(used.high, device)})",
    ]
    rests_on = f" This rested on {listed(basis)}." if basis else ""
    return (
        f"Run of {began} UTC ({part}; {forecast.cluster}): {times[0]} were expected when it began, and {times[1]}."
        f"{rests_on}"
    )
