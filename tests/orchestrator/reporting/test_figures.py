"""Figures are drawn by the numbers of their axis, with labels that fit."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from orchestrator.analysis.number_text import ends_text, signed
from orchestrator.reporting.build import build_report
from orchestrator.reporting.figure_data import Bar, claim_bar, priced_arms
from orchestrator.reporting.figures import forest_bar, forest_scale
from orchestrator.reporting.html import to_html
from tests.support.report_cases import finished, scores
from tests.support.stored_studies import finish_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore

DRAWN = [[name] for name in ("dot", "seed", "mean", "whisker", "prior", "margin")]
"""First class of every mark that shows a number."""


def test_axis_points_are_drawn_by_their_numbers(store: LocalStore) -> None:
    """16, 32 and 64 px: the second lies at a third of the way, not in the middle."""
    curve = finished(store).curves[0]
    assert [(point.label, point.number, point.is_base) for point in curve.points] == [
        ("16px", 16.0, False),
        ("32px", 32.0, False),
        ("64px", 64.0, True),
    ]
    page = to_html(finished(store))
    panel = page[page.index("Mean score against resolution") :]
    dots = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"[^>]*class="dot', panel[: panel.index("</svg>")])]
    assert (dots[1] - dots[0]) / (dots[2] - dots[0]) == pytest.approx(1 / 3, abs=0.01)


def test_labels_that_do_not_fit_below_a_panel_become_numbers_with_a_key(store: LocalStore) -> None:
    """As names of encoders do; such values are no numbers, and are not joined either."""
    plan, names = two_stage_plan(), ("clip-vit-l-336px", "siglip-vit-so400m", "dinov2-vit-l-reg")
    arms = tuple(replace(arm, values={"resolution": name}) for arm, name in zip(plan.arms, names, strict=True))
    plan = replace(plan, arms=arms)
    for trial in plan.trials:
        finish_trial(store, plan, trial, scores(trial.arm, trial.seed, plan))
    study = study_of(axes={"resolution": {name: {} for name in reversed(names)}})
    page = to_html(build_report(study, plan, store))
    assert "1 dinov2-vit-l-reg, 2 siglip-vit-so400m, 3 clip-vit-l-336px" in page
    assert 'class="curve"' not in page


def test_a_claim_without_an_interval_is_a_dot_alone(store: LocalStore) -> None:
    verdict = finished(store).verdicts.verdicts[0]
    with_interval, alone = claim_bar(verdict), claim_bar(replace(verdict, interval=None))
    scale = forest_scale([with_interval, alone])
    assert alone == Bar(verdict.effect, None, "yes", verdict.margin)
    assert [forest_bar(bar, scale).count("whisker") for bar in (with_interval, alone)] == [3, 0]
    assert [forest_bar(bar, scale).count("<circle") for bar in (with_interval, alone)] == [1, 1]


def test_every_mark_says_its_numbers_where_a_pointer_rests_without_scripts(store: LocalStore) -> None:
    report = finished(store)
    page = to_html(report)
    html = ElementTree.fromstring(f"<all>{''.join(re.findall('<svg.*?</svg>', page, re.DOTALL))}</all>")
    drawn = [(mark, parent) for parent in html.iter() for mark in parent if mark.get("class", "").split()[:1] in DRAWN]
    said = [mark.findtext("title") or (parent.findtext("title") if parent.tag == "g" else "") for mark, parent in drawn]
    assert len(said) > 30
    assert all(said)
    titles = set(said)
    finding, row, verdict = report.findings[0], report.rows[0], report.verdicts.verdicts[1]
    main, estimate = finding.main, row.mean.estimate
    assert main is not None
    assert estimate is not None
    assert verdict.effect is not None
    assert verdict.interval is not None
    interval = f"({estimate.interval.low:.1f} to {estimate.interval.high:.1f})"
    assert titles >= {
        f"{signed(main.effect)} ({ends_text(main.low, main.high)})",
        f"{signed(verdict.effect)} ({ends_text(*verdict.interval)})",
        f"mean {estimate.value:.1f} {interval}",
        f"64px (base): {estimate.value:.1f} {interval}",
        *(f"seed {seed}: {value:.1f}" for seed, value in row.mean.by_seed.items()),
        *(f"64px, seed {seed}: {value:.1f}" for seed, value in row.mean.by_seed.items()),
    }
    priced = priced_arms(report)
    assert {f"{arm.number} {arm.arm}: {arm.score:.1f}, {arm.price:.3g} {priced.unit}" for arm in priced.arms} <= titles
