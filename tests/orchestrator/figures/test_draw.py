"""What is drawn are the values of the report, at their places."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.figures import draw
from orchestrator.figures.style import palette
from orchestrator.reporting.figure_data import arm_bar, priced_arms
from orchestrator.reporting.prior_lines import best_prior
from tests.support.report_cases import finished
from trainables.storage.store import LocalStore


def test_a_forest_has_a_line_for_each_arm_at_its_difference(store: LocalStore) -> None:
    report = finished(store)
    axes = draw.forest(report, 3.3, report.findings).axes[0]
    assert [label.get_text().replace("\n", "") for label in axes.get_yticklabels()] == [f.arm for f in report.findings]
    drawn = [container.lines[0].get_xydata().tolist()[0] for container in axes.containers]
    expected = [(arm_bar(finding).value, row) for row, finding in enumerate(report.findings)]
    assert drawn == [pytest.approx(point) for point in expected]


def test_a_claim_with_a_margin_has_its_band_and_the_colour_of_its_verdict(store: LocalStore) -> None:
    report = finished(store)
    axes = draw.claims(report, 3.3, report.verdicts.verdicts).axes[0]
    colours = [container.lines[0].get_color() for container in axes.containers]
    assert colours == [palette()["yes"], palette()["open"], palette()["no"]]


def test_a_claim_without_an_interval_is_a_dot_alone_in_its_own_unit(store: LocalStore) -> None:
    report = finished(store)
    alone = replace(report.verdicts.verdicts[0], interval=None, unit="percent", effect=-12.0)
    axes = draw.claims(report, 3.3, [alone]).axes[0]
    (container,) = axes.containers
    dot, caps, lines = container.lines
    assert dot.get_xydata().tolist() == [[-12.0, 0.0]]
    assert (caps, lines) == ((), ())
    assert axes.get_xlabel() == "percent"


def test_the_plane_of_price_and_score_has_every_arm_with_its_number(store: LocalStore) -> None:
    report = finished(store)
    axes = draw.pareto(report, 3.3).axes[0]
    assert [text.get_text() for text in axes.texts] == [str(arm.number) for arm in priced_arms(report).arms]
    assert axes.get_xlabel() == "core-seconds of one trial"


def test_strips_of_seeds_show_every_seed_and_the_line_of_what_needs_no_image(store: LocalStore) -> None:
    report = finished(store)
    axes = draw.seeds(report, 3.3, report.rows).axes[0]
    rings = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(ring.get_xdata()) for ring in rings] == [len(row.mean.by_seed) for row in report.rows]
    prior = best_prior(report, None)
    low, high = axes.get_xlim()
    dashed = [line for line in axes.lines if line.get_linestyle() not in ("-", "None")]
    assert bool(dashed) == (prior is not None and low <= prior <= high)


def test_axes_have_a_panel_each_with_labels_below(store: LocalStore) -> None:
    report = finished(store)
    figure = draw.axes(report, 3.3, report.curves)
    assert [panel.get_title(loc="left") for panel in figure.axes] == [curve.axis for curve in report.curves]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["16px", "32px", "64px"]
