"""Every kind of figure has what draws it, and losses are split so that no figure has too many panels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.figures.kinds import _MAKERS, KINDS, MOST_PANELS, MOST_ROWS, kind_of, paper_figures
from orchestrator.figures.write import write_figures
from orchestrator.reporting.training import LossCurve
from tests.support.report_cases import finished
from trainables.storage.store import LocalStore


def test_the_table_of_kinds_is_complete() -> None:
    assert tuple(_MAKERS) == KINDS


def _losses(arms: list[str]) -> tuple[LossCurve, ...]:
    points = ((0.0, 3.0), (10.0, 1.5), (20.0, 1.0))
    return tuple(LossCurve(arm, seed, "finetune", points, is_diverged=False) for arm in arms for seed in (7, 8))


def test_the_arms_of_a_large_study_are_spread_over_several_figures_of_losses(store: LocalStore, tmp_path: Path) -> None:
    arms = [f"arm-{number}" for number in range(MOST_PANELS + 2)]
    report = replace(finished(store), losses=_losses(arms))
    names = [figure.name for figure in paper_figures(report, ("curves",))]
    assert names == ["curves-finetune-1", "curves-finetune-2"]
    drawn = [row["arm"] for figure in paper_figures(report, ("curves",)) for row in figure.rows]
    assert list(dict.fromkeys(drawn)) == arms
    assert (tmp_path / "curves-finetune-2.png") in write_figures(report, tmp_path, ("curves",), ("png",), 3.3)


def test_rows_and_axes_beyond_a_page_go_into_further_figures_none_twice_on_one_scale(store: LocalStore) -> None:
    report = finished(store)
    n = 2 * MOST_ROWS + 1
    claims, axis, row = report.verdicts.verdicts[0], report.axes[0], report.rows[0]
    large = replace(
        report,
        verdicts=replace(report.verdicts, verdicts=tuple(replace(claims, id=f"h{i}") for i in range(n))),
        axes=(replace(axis, findings=tuple(replace(axis.findings[0], arm=f"arm-{i}") for i in range(n))),),
        rows=(*report.rows, *(replace(row, arm=f"arm-{i}") for i in range(n - len(report.rows)))),
        curves=tuple(replace(report.curves[0], axis=f"axis-{i}") for i in range(MOST_PANELS + 1)),
    )
    figures = {figure.name: figure for figure in paper_figures(large, ("claims", "forest", "axes", "seeds"))}
    parts = {
        "claims": ("claim", 3, n),
        "forest": ("arm", 3, n),
        "axes": ("axis", 2, MOST_PANELS + 1),
        "seeds": ("arm", 3, n),
    }
    assert list(figures) == [f"{kind}-{i + 1}" for kind, (_, count, _) in parts.items() for i in range(count)]
    for kind, (column, count, total) in parts.items():
        own = [figure for name, figure in figures.items() if kind_of(name) == kind]
        names = [row[column] for figure in own for row in figure.rows]
        assert len(set(names)) == total
        assert own[-1].caption.endswith(f" Part {count} of {count}.")
    limits = {figures[name].draw(2.0).axes[0].get_xlim() for name in ("forest-1", "forest-2", "forest-3")}
    assert len(limits) == 1
    assert max(figure.draw(2.0).get_figheight() for figure in figures.values()) * 300 < 2**16


def test_the_table_of_claims_leaves_an_interval_empty_that_is_not_there(store: LocalStore) -> None:
    report = finished(store)
    alone = replace(report.verdicts.verdicts[0], interval=None)
    changed = replace(report, verdicts=replace(report.verdicts, verdicts=(alone, *report.verdicts.verdicts[1:])))
    (figure,) = paper_figures(changed, ("claims",))
    assert (figure.rows[0]["low"], figure.rows[0]["high"], figure.rows[0]["unit"]) == ("", "", "points")
    assert all(row["low"] and row["high"] for row in figure.rows[1:])
    assert "A dot alone has no interval." in figure.caption


def test_the_caption_of_losses_says_what_stands_behind_only_where_something_does(store: LocalStore) -> None:
    report = finished(store)
    with_base, without = (
        next(paper_figures(replace(report, losses=_losses(arms)), ("curves",))).caption
        for arms in (["base", "resolution=16px"], ["resolution=16px"])
    )
    assert with_base.endswith("a line for each seed; behind them, in grey, those of base.")
    assert without.endswith("a line for each seed.")


def test_prices_are_in_the_unit_that_was_used(store: LocalStore) -> None:
    report = finished(store)
    on_cores, on_gpus = (
        next(paper_figures(replace(report, device=device), ("pareto",))).columns[2] for device in ("core", "GPU")
    )
    assert on_cores == "core-seconds of one trial"
    assert on_gpus == "GPU-seconds of one trial"


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_of_one_arm_is_drawn_as_far_as_there_is_something(kind: str, store: LocalStore) -> None:
    report = finished(store)
    alone = replace(report, rows=report.rows[:1], axes=(), curves=(), costs=report.costs[:1])
    names = {figure.name for figure in paper_figures(alone, (kind,))}  # type: ignore[arg-type]  # of KINDS
    assert names == ({kind} if kind in ("claims", "seeds") else set())
