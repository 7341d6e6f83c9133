"""The dashboard of a study as code: the saved views of MLflow's runs page. Pure construction; `tracking` writes them.

A saved view is a tag of the experiment (MLflow 3.15 and newer) that holds the state of the page: filter, order,
columns, grouping, charts. MLflow's page adds a chart for every metric that a view does not mention, so views mention
all metrics: those without a chart of theirs as deleted charts. Hence views are written again when new metrics appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis.numeric_axes import numeric_axes
from orchestrator.tracking.names import legal_name
from orchestrator.tracking.view_charts import bar_chart, chart_of_kind, line_chart, scatter_chart
from search_spaces.plan import Plan

NEEDED_MLFLOW = (3, 15)
"""The first MLflow whose page lists saved views."""


PRIMARY = "eval/mean"
COST = "cost/gpu_seconds_alone"
"""What quality is plotted against: with all stages of its own, so that an arm is not cheap because others paid."""

MOST_CHARTS = 24
"""Bars of single benchmarks in one view: a page with hundreds of charts cannot be read, and does not fit in a tag."""


@dataclass(frozen=True)
class Subject:
    """What the views of a study are about, in MLflow's names."""

    axes: tuple[str, ...]
    """Parameters; in plan order."""
    numeric: tuple[str, ...]
    """Those of them that are mirrored as `cfg/<axis>`."""
    benchmarks: tuple[str, ...]
    """Metrics `eval/<benchmark>/points`, in plan order."""
    metrics: frozenset[str]
    """All metrics that the page may meet."""
    baseline: str | None = None
    """Run of the base's summary, once it is there: differences are shown against it."""


@dataclass(frozen=True)
class View:
    id: str
    """Fixed: part of links that people keep."""
    name: str
    state: dict[str, Any]
    shows_charts: bool
    """Whether a link opens its charts, or its table."""


def subject(plan: Plan, metrics: Iterable[str] = (), baseline: str | None = None) -> Subject:
    """The subject of a study's views. `metrics`: names that its runs have; those that every study gets are added."""
    benchmarks = tuple(legal_name(f"eval/{benchmark.id}/points") for benchmark in plan.benchmarks)
    numeric = tuple(legal_name(axis) for axis in plan.axes if axis in numeric_axes(plan))
    expected = {PRIMARY, COST, "cost/gpu_seconds", "cost/wall_seconds", "train/loss", "train/lr", "train/samples_per_s"}
    expected |= {"stage", *benchmarks, *(f"cfg/{axis}" for axis in numeric), "arm/mean", "arm/seeds"}
    axes = tuple(legal_name(axis) for axis in plan.axes)
    return Subject(axes, numeric, benchmarks, frozenset({*expected, *metrics}), baseline)


def views(about: Subject) -> tuple[View, ...]:
    """The saved views, in the order of MLflow's menu. The first is what links open on."""
    return (
        _overview(about),
        _parallel(about),
        _cost(about),
        _curves(about),
        _groups(about),
        _failures(about),
        _difference(about),
        _arms(about),
    )


# ------------------------------------------------------------------------------------------------ tags


# ------------------------------------------------------------------------------------------------ the views


def _overview(about: Subject) -> View:
    charts = [
        bar_chart(PRIMARY),
        bar_chart("arm/mean"),
        _parallel_chart(about),
        scatter_chart(COST, PRIMARY),
        line_chart("train/loss"),
    ]
    return _view(about, "1-leaderboard", "1 Leaderboard", {"All at once": charts}, kind=None, columns=_scores(about))


def _parallel(about: Subject) -> View:
    return _view(about, "2-parallel", "2 Parallel coordinates", {"Choices and scores": [_parallel_chart(about)]})


def _cost(about: Subject) -> View:
    rate = "train/samples_per_s"
    charts = [
        scatter_chart(COST, PRIMARY),
        scatter_chart("cost/wall_seconds", PRIMARY),
        bar_chart(COST),
        bar_chart("cost/gpu_seconds"),
    ]
    columns = [_metric(PRIMARY), *map(_metric, sorted(name for name in about.metrics if name.startswith("cost/")))]
    return _view(
        about,
        "3-cost",
        "3 Quality against cost",
        {"Cost": [*charts, line_chart(rate)]},
        columns=_columns(about, columns),
    )


def _curves(about: Subject) -> View:
    rest = sorted(name for name in about.metrics if name.startswith("train/") and name != "train/loss")
    charts = [line_chart("train/loss"), *map(line_chart, rest)]
    return _view(about, "4-curves", "4 Training curves", {"By optimizer step": charts})


def _groups(about: Subject) -> View:
    charts = [bar_chart(PRIMARY), *map(bar_chart, about.benchmarks[:MOST_CHARTS]), line_chart("train/loss")]
    by_arm = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "ablate.arm"}]}
    columns = [_metric(PRIMARY), *map(_metric, about.benchmarks)]
    return _view(about, "5-groups", "5 Averaged over seeds", {"Means of arms": charts}, columns=columns, groups=by_arm)


def _failures(about: Subject) -> View:
    columns = ["tags.`ablate.error_class`", "tags.`ablate.error`", *(_param(axis) for axis in about.axes)]
    filtered = " and tags.`ablate.error_class` != 'none'"
    charts = {"How far they came": [line_chart("train/loss")]}
    return _view(about, "6-failures", "6 Failures", charts, columns=columns, filtered=filtered, charts_first=False)


def _difference(about: Subject) -> View:
    card = {
        **chart_of_kind("DIFFERENCE"),
        "chartName": "Arms against the base",
        "compareGroups": ["Parameters", "Model metrics"],
        "showChangeFromBaseline": True,
        "showDifferencesOnly": True,
        "baselineColumnUuid": about.baseline or "",
    }
    return _view(
        about, "7-difference", "7 Difference to the base", {"Means over seeds": [card]}, kind="summary",
        order=("metrics.`arm/order`", True),
    )  # fmt: skip


def _arms(about: Subject) -> View:
    names = ["arm/mean", "arm/mean_low", "arm/mean_high", "arm/seeds"]
    names += sorted(name for name in about.metrics if name.startswith("arm/") and name not in {*names, "arm/order"})
    charts = [bar_chart("arm/mean"), *(bar_chart(name) for name in names[4:] if not name.endswith(("_low", "_high")))]
    return _view(
        about, "8-arms", "8 Arms with intervals", {"Means over seeds": charts[: MOST_CHARTS + 1]}, kind="summary",
        columns=_columns(about, list(map(_metric, names))), order=("metrics.`arm/mean`", False), charts_first=False,
    )  # fmt: skip


def _view(
    about: Subject,
    id_: str,
    name: str,
    charts: Mapping[str, list[dict[str, Any]]],
    *,
    kind: str | None = "trial",
    filtered: str = "",
    columns: Sequence[str] | None = None,
    groups: Mapping[str, Any] | None = None,
    order: tuple[str, bool] = (f"metrics.`{PRIMARY}`", False),
    charts_first: bool = True,
) -> View:
    """A view with these sections of charts. `kind`: of the runs it shows; None for trials and summaries."""
    sections, cards = [], []
    for section, members in charts.items():
        across = 1 if len(members) == 1 else 2 if len(members) <= 4 else 3
        layout = {"columns": across, "cardHeight": 640 if across == 1 else 400}
        sections.append({"uuid": f"{id_}-{section}", "name": section, "display": True, "isReordered": True, **layout})
        for number, card in enumerate(members):
            cards.append({**card, "uuid": f"{id_}-{section}-{number}", "metricSectionId": f"{id_}-{section}"})
    shown = {card.get("metricKey") for card in cards}
    hidden = [
        {**bar_chart(metric), "uuid": f"{id_}-hidden-{number}", "deleted": True, "metricSectionId": sections[0]["uuid"]}
        for number, metric in enumerate(sorted(about.metrics - shown))
    ]
    state = {
        "searchFilter": ("tags.`ablate.kind` != 'study'" if kind is None else f"tags.`ablate.kind` = '{kind}'")
        + filtered,
        "orderByKey": order[0],
        "orderByAsc": order[1],
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns if columns is not None else _scores(about)),
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": False,
        "groupBy": groups,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunSections": sections,
        "compareRunCharts": [*cards, *hidden],
    }
    return View(f"ablate-{id_}", name, state, charts_first)


def _columns(about: Subject, more: list[str]) -> list[str]:
    return [*(_param(axis) for axis in about.axes), *more]


def _scores(about: Subject) -> list[str]:
    return _columns(about, [_metric(PRIMARY), *map(_metric, about.benchmarks[:MOST_CHARTS]), _metric(COST)])


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _param(name: str) -> str:
    return f"params.`{name}`"


def _parallel_chart(about: Subject) -> dict[str, Any]:
    """Numeric axes by their numbers, the others by their labels, then the primary score."""
    params = [axis for axis in about.axes if axis not in about.numeric]
    metrics = [*(f"cfg/{axis}" for axis in about.axes if axis in about.numeric), PRIMARY]
    return {**chart_of_kind("PARALLEL"), "selectedParams": params, "selectedMetrics": metrics, "showAllRuns": True}
