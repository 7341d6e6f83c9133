"""Claims about the table of arms under verdicts on items."""

from __future__ import annotations

from orchestrator.analysis.prior_rows import Prior
from orchestrator.items.overview import ArmCell, ArmRow, ItemsOverview
from orchestrator.terminal.items import overview_to_terminal
from tests.support.terminal_text import shown

CELLS = (
    ArmCell(None, 61.04, (60.0, 62.1), (1, 2), True),
    ArmCell("gqa", 70.0, None, (1, 2), True),
    ArmCell("pope", 52.1, (50.0, 54.2), (1, 2), False),
)


def test_cells_are_points_with_intervals_and_say_where_there_is_no_signal() -> None:
    priors = (Prior("best constant answer", (None, 50.0), None),)
    overview = ItemsOverview(("gqa", "pope"), (ArmRow("base", CELLS), ArmRow("[odd]", CELLS[2:])), (), priors)
    lines = shown(lambda console: overview_to_terminal(overview, console)).splitlines()
    assert lines[2].split() == ["arm", "seeds", "mean", "gqa", "pope"]
    assert lines[3].split("  ")[0] == "base"
    assert "61.0 (60.0 to 62.1)  70.0  52.1 (50.0 to 54.2), no signal" in lines[3]
    assert lines[4].split()[:3] == ["[odd]", "1,", "2"]
    assert lines[5].split() == ["best", "constant", "answer", "50.0"]


def test_with_many_benchmarks_only_the_mean_has_an_interval() -> None:
    names = tuple(f"b{i}" for i in range(8))
    cells = (CELLS[0], *(ArmCell(name, 50.0, (40.0, 60.0), (1,), True) for name in names))
    text = shown(lambda console: overview_to_terminal(ItemsOverview(names, (ArmRow("base", cells),), ()), console))
    assert "61.0 (60.0 to 62.1)" in text
    assert "40.0" not in text
