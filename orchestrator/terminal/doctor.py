"""Show what `ablate doctor` has found, a line for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text

from orchestrator.doctor.findings import Finding, State
from search_spaces.quantities import number_of

STYLES: Mapping[State, str] = {"right": "green", "slow": "yellow", "fails": "red", "unknown": "dim"}

INDENT = " " * 18


def findings_view(findings: Sequence[Finding]) -> Text:
    """Show state, area and sentence of each finding, its way out below it, and what it comes to."""
    lines = []
    for finding in findings:
        lines.append(
            Text.assemble(
                (f"{finding.state:<8}", STYLES[finding.state]), f"{finding.area:<10}", _one_line(finding.says)
            )
        )
        if finding.way_out is not None:
            lines.append(Text(f"{INDENT}{_one_line(finding.way_out)}", "dim"))
    count = Counter(finding.state for finding in findings)
    ending = f"{number_of(count['fails'], 'thing')} will fail" if count["fails"] else "Nothing will fail"
    ending += f", {count['slow']:,} slow" if count["slow"] else ""
    ending += f", {count['unknown']:,} unknown" if count["unknown"] else ""
    lines.append(Text(f"{ending}."))
    return Text("\n").join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
