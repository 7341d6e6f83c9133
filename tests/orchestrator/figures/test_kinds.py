"""Every kind of figure has what draws it, and losses are split so that no figure has too many panels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.figures.kinds import _MAKERS, KINDS, MOST_PANELS, paper_figures
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
