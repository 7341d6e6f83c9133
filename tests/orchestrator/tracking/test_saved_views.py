"""The saved views as data: what they hold, and when they are written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from orchestrator.tracking.pages import view_url
from orchestrator.tracking.saved_views import Subject, View, subject, views
from orchestrator.tracking.view_tags import (
    DASHBOARD_VERSION,
    TAG_PREFIX,
    TAG_SIZE,
    decoded,
    encoded,
    view_tags,
)
from tests.support.small_plans import small_plan, with_axis
from trainables.storage.tracked_names import DASHBOARD

PLAN = with_axis(small_plan(), "vision.resize", "naive")
VIEWS = views(subject(PLAN, ["train/loss", "system/node_0/cpu_percent"], "base-run"))


def written(now: int = 1) -> dict[str, str]:
    return view_tags(VIEWS, {}, now)[0]


def test_every_view_mentions_every_metric_once() -> None:
    about = subject(PLAN, ["new/metric"])
    for view in views(about):
        named = [card["metricKey"] for card in view.state["compareRunCharts"] if "metricKey" in card]
        assert sorted(set(named)) == sorted(named), view.name
        assert set(named) >= about.metrics, view.name


def test_the_section_of_costs_is_titled_in_the_unit_that_is_counted() -> None:
    on_gpus = [replace(arm, resources=arm.resources.model_copy(update={"gpus_per_worker": 1})) for arm in PLAN.arms]
    titles = []
    for plan in (PLAN, replace(PLAN, arms=tuple(on_gpus))):
        (view,) = [view for view in views(subject(plan)) if view.id == "ablate-3-cost"]
        titles += [section["name"] for section in view.state["compareRunSections"]]
    assert titles == ["Cost in core-seconds", "Cost in GPU-seconds"]


def test_every_chart_is_in_a_section_and_has_an_id_of_its_own() -> None:
    for view in VIEWS:
        sections = {section["uuid"] for section in view.state["compareRunSections"]}
        charts = view.state["compareRunCharts"]
        assert all(chart["metricSectionId"] in sections for chart in charts)
        assert len({chart["uuid"] for chart in charts}) == len(charts)


def test_a_link_opens_a_view_by_its_fixed_id() -> None:
    url = view_url("http://server:5000/", "3", VIEWS[0])
    assert url == (
        "http://server:5000/#/experiments/3/runs"
        "?workflowType=machine_learning&viewStateShareKey=ablate-1-leaderboard&compareRunsMode=CHART"
    )


def test_parallel_coordinates_show_numeric_axes_by_number_and_others_by_label() -> None:
    (chart,) = [card for card in VIEWS[1].state["compareRunCharts"] if card["type"] == "PARALLEL"]
    assert chart["selectedParams"] == ["vision.resize"]
    assert chart["selectedMetrics"] == ["cfg/resolution", "eval/mean"]


def test_axes_whose_names_do_not_fit_side_by_side_go_into_further_charts() -> None:
    """Seven axes of the quickstart fit; a dozen with long names do not, and each is in one chart, beside the score."""
    few = replace(subject(PLAN), axes=("vision.weights", "stages", "data"), numeric=())
    assert len(_parallel(few)) == 1
    names = tuple(f"recipe.finetune.optimizer.field-{number}" for number in range(12))
    charts = _parallel(replace(subject(PLAN), axes=names, numeric=names[:2]))
    assert len(charts) > 1
    shown = [name for chart in charts for name in (*chart["selectedParams"], *chart["selectedMetrics"])]
    assert sorted(name for name in shown if name != "eval/mean") == sorted(
        [*names[2:], *(f"cfg/{name}" for name in names[:2])]
    )
    assert shown.count("eval/mean") == len(charts)


def test_parallel_coordinates_are_as_wide_as_their_section_also_on_the_leaderboard() -> None:
    for view in VIEWS[:2]:
        (chart, *_) = [card for card in view.state["compareRunCharts"] if card["type"] == "PARALLEL"]
        columns = {section["uuid"]: section["columns"] for section in view.state["compareRunSections"]}
        assert columns[chart["metricSectionId"]] == 1


def _parallel(about: Subject) -> list[dict[str, Any]]:
    return [card for card in views(about)[1].state["compareRunCharts"] if card["type"] == "PARALLEL"]


def test_views_are_written_once_and_again_when_they_change() -> None:
    tags = written()
    assert len(tags) == len(VIEWS) + 1
    assert view_tags(VIEWS, tags, 2) == ({}, [])
    more = views(subject(PLAN, ["new/metric"]))
    assert set(view_tags(more, tags, 2)[0]) == set(tags)


def test_an_edited_view_stays_as_it_is_and_the_others_are_updated() -> None:
    tags = written()
    key = TAG_PREFIX + VIEWS[2].id
    mine = json.loads(tags[key])
    tags[key] = json.dumps({**mine, "name": "My own"})
    new, kept = view_tags(views(subject(PLAN, ["new/metric"])), tags, 2)
    assert key not in new
    assert len(new) == len(VIEWS)
    assert kept == ["the view '3 Quality against cost' was edited, and stays as it is"]


def test_an_overridden_state_counts_as_edited_even_if_the_page_keeps_our_mark() -> None:
    tags = written()
    key = TAG_PREFIX + VIEWS[0].id
    other = json.loads(encoded(View(VIEWS[0].id, VIEWS[0].name, {"searchFilter": "mine"}, True), 2))
    tags[key] = json.dumps({**json.loads(tags[key]), "state": other["state"]})
    assert key not in view_tags(VIEWS, tags, 3)[0]


def test_a_view_that_was_deleted_stays_away() -> None:
    tags = written()
    del tags[TAG_PREFIX + VIEWS[4].id]
    new, kept = view_tags(VIEWS, tags, 2)
    assert new == {}
    assert kept == ["the view '5 Averaged over seeds' was deleted, and stays away"]


def test_a_view_of_somebody_else_under_our_id_is_not_touched() -> None:
    tags = {TAG_PREFIX + VIEWS[0].id: "{}"}
    assert TAG_PREFIX + VIEWS[0].id not in view_tags(VIEWS, tags, 1)[0]


def test_views_of_a_newer_version_stay() -> None:
    tags = {**written(), DASHBOARD: json.dumps({"version": DASHBOARD_VERSION + 1, "views": []})}
    new, kept = view_tags(views(subject(PLAN, ["new/metric"])), tags, 2)
    assert new == {}
    assert "newer version" in kept[0]


def test_a_state_survives_its_tag() -> None:
    for view in VIEWS:
        assert decoded(encoded(view, 1)) == view.state


def test_views_of_a_study_with_many_metrics_fit_into_their_tags() -> None:
    many = [f"eval/benchmark-{number}/{kind}" for number in range(60) for kind in ("accuracy", "f1", "yes_rate")]
    new, kept = view_tags(views(subject(PLAN, many)), {}, 1)
    assert kept == []
    assert max(map(len, new.values())) < TAG_SIZE
