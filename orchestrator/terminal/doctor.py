"""Show what `ablate doctor` has found: in ten lines, or all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from orchestrator.doctor.findings import Area, Finding, State
from search_spaces.quantities import number_of

STYLES: Mapping[State, str] = {"right": "green", "slow": "yellow", "fails": "red", "unknown": "dim"}

URGENCY: Mapping[State, int] = {"fails": 0, "slow": 1, "unknown": 2, "right": 3}

MOST_LINES = 10
"""Of the short form, with the one that says what it comes to."""

INDENT = " " * 18


def findings_view(findings: Sequence[Finding], *, details: bool = False) -> Text:
    """Show state, area and sentence of each finding, its way out below it, and what it comes to.

    Args:
        findings: of all checks.
        details: whether all are shown; else what is not right, and one finding of each area that is, in ten lines.
    """
    shown = list(findings) if details else _short(findings)
    ending = _ending(findings)
    if not details and len(shown) < len(findings):
        ending += f" {len(findings):,} answers in all: --details shows each."
    return Text("\n").join([*(line for finding in shown for line in _lines(finding)), Text(ending)])


def _short(findings: Sequence[Finding]) -> list[Finding]:
    """Choose the findings that are shown in few lines: those that are not right before those that are."""
    troubles = [finding for finding in findings if finding.state != "right"]
    troubled = {finding.area for finding in troubles}
    areas: dict[Area, list[Finding]] = {}
    for finding in findings:
        areas.setdefault(finding.area, []).append(finding)
    right = [_first_of(area) for name, area in areas.items() if name not in troubled]
    chosen, left = list[Finding](), MOST_LINES - 1
    for finding in sorted([*troubles, *right], key=lambda finding: URGENCY[finding.state]):
        left -= len(_lines(finding))
        if left < 0:
            break
        chosen.append(finding)
    return sorted(chosen, key=lambda finding: list(areas).index(finding.area))


def _first_of(area: Sequence[Finding]) -> Finding:
    """Return the first finding of an area where all is right, with the number of the others."""
    others = len(area) - 1
    return (
        replace(area[0], says=f"{area[0].says}; {others} more {'is' if others == 1 else 'are'} right")
        if others
        else area[0]
    )


def _lines(finding: Finding) -> list[Text]:
    first = Text.assemble(
        (f"{finding.state:<8}", STYLES[finding.state]), f"{finding.area:<10}", _one_line(finding.says)
    )
    return [first] if finding.way_out is None else [first, Text(f"{INDENT}{_one_line(finding.way_out)}", "dim")]


def _ending(findings: Sequence[Finding]) -> str:
    count = Counter(finding.state for finding in findings)
    ending = f"{number_of(count['fails'], 'thing')} will fail" if count["fails"] else "Nothing will fail"
    ending += f", {count['slow']:,} slow" if count["slow"] else ""
    ending += f", {count['unknown']:,} unknown" if count["unknown"] else ""
    return f"{ending}."


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
