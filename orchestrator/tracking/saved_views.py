"""Describe the dashboard of a study: the saved views of MLflow's runs page, as data.

A saved view is a tag of the experiment (MLflow 3.15 and newer) that holds the state of the page: filter, order,
columns, grouping, charts. MLflow's page adds a chart for every metric that a view does not mention, so views mention
all metrics: those without a chart of theirs as deleted charts. Hence views are written again when new metrics appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from orchestrator.analysis.numeric_axes import numeric_axes
from orchestrator.tracking.filter_language import metric_field, param_field, tag_field
from orchestrator.tracking.labels import legal_name
from orchestrator.tracking.view_charts import bar_chart, chart_of_kind, line_chart, scatter_chart
from search_spaces.plan import Plan
from search_spaces.quantities import Device
from trainables.storage.tracked_names import (
    ARM,
    ARM_MEAN,
    ARM_MEAN_HIGH,
    ARM_MEAN_LOW,
    ARM_NAME,
    ARM_ORDER,
    ARM_SEEDS,
    COST,
    COST_GPU_SECONDS,
    COST_GPU_SECONDS_ALONE,
    COST_WALL_SECONDS,
    CURRENT,
    ERROR,
    ERROR_CLASS,
    EVAL_MEAN,
    KIND,
    STAGE,
    TRAIN,
    TRAIN_LOSS,
    TRAIN_LR,
    TRAIN_SAMPLES_PER_S,
    RunKind,
    axis_number,
    evaluation_points,
)

NEEDED_MLFLOW = (3, 15)
"""The first MLflow whose page lists saved views."""

PARALLEL_WIDTH = 660.0
"""From the first coordinate to the last, in px, where the window has 1,400 and the list of runs stands beside."""
LETTER_WIDTH = 6.0
"""Of the names of coordinates, in px."""

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
    device: Device = "GPU"
    """What costs are counted in: a metric's name says GPU, whatever the study runs on."""


@dataclass(frozen=True)
class View:
    id: str
    """Fixed: part of links that people keep."""
    name: str
    state: dict[str, Any]
    shows_charts: bool
    """Whether a link opens its charts, or its table."""


def subject(plan: Plan, metrics: Iterable[str] = (), baseline: str | None = None) -> Subject:
    """Describe what the views of a study are about.

    Args:
        plan: the study's plan.
        metrics: names that its runs have; those that every study gets are added.
        baseline: id of the run of the base's summary, once it is there.
    """
    benchmarks = tuple(legal_name(evaluation_points(benchmark.id)) for benchmark in plan.benchmarks)
    numeric = tuple(legal_name(axis) for axis in plan.axes if axis in numeric_axes(plan))
    expected = {EVAL_MEAN, COST_GPU_SECONDS_ALONE, COST_GPU_SECONDS, COST_WALL_SECONDS, ARM_MEAN, ARM_SEEDS}
    expected |= {STAGE, TRAIN_LOSS, TRAIN_LR, TRAIN_SAMPLES_PER_S}
    expected |= {*benchmarks, *(axis_number(axis) for axis in numeric)}
    axes = tuple(legal_name(axis) for axis in plan.axes)
    return Subject(axes, numeric, benchmarks, frozenset({*expected, *metrics}), baseline, plan.device)


def views(about: Subject) -> tuple[View, ...]:
    """Return the saved views, in the order of MLflow's menu. The first is what links open on."""
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


# ------------------------------------------------------------------------------------------------ the views


def _overview(about: Subject) -> View:
    charts = [
        bar_chart(EVAL_MEAN),
        bar_chart(ARM_MEAN),
        scatter_chart(COST_GPU_SECONDS_ALONE, EVAL_MEAN),
        line_chart(TRAIN_LOSS),
    ]
    sections = {"All at once": charts, "Choices and scores": _parallel_charts(about)}
    return _view(about, "1-leaderboard", "1 Leaderboard", sections, kind=None, columns=_scores(about))


def _parallel(about: Subject) -> View:
    return _view(about, "2-parallel", "2 Parallel coordinates", {"Choices and scores": _parallel_charts(about)})


def _cost(about: Subject) -> View:
    rate = TRAIN_SAMPLES_PER_S
    charts = [
        scatter_chart(COST_GPU_SECONDS_ALONE, EVAL_MEAN),
        scatter_chart(COST_WALL_SECONDS, EVAL_MEAN),
        bar_chart(COST_GPU_SECONDS_ALONE),
        bar_chart(COST_GPU_SECONDS),
    ]
    columns = [
        metric_field(EVAL_MEAN),
        *map(metric_field, sorted(name for name in about.metrics if name.startswith(COST))),
    ]
    return _view(
        about,
        "3-cost",
        "3 Quality against cost",
        {f"Cost in {about.device}-seconds": [*charts, line_chart(rate)]},
        columns=_columns(about, columns),
    )


def _curves(about: Subject) -> View:
    rest = sorted(name for name in about.metrics if name.startswith(TRAIN) and name != TRAIN_LOSS)
    charts = [line_chart(TRAIN_LOSS), *map(line_chart, rest)]
    return _view(about, "4-curves", "4 Training curves", {"By optimizer step": charts})


def _groups(about: Subject) -> View:
    charts = [bar_chart(EVAL_MEAN), *map(bar_chart, about.benchmarks[:MOST_CHARTS]), line_chart(TRAIN_LOSS)]
    by_arm = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": ARM_NAME}]}
    columns = [metric_field(EVAL_MEAN), *map(metric_field, about.benchmarks)]
    return _view(about, "5-groups", "5 Averaged over seeds", {"Means of arms": charts}, columns=columns, groups=by_arm)


def _failures(about: Subject) -> View:
    columns = [tag_field(ERROR_CLASS), tag_field(ERROR), *(param_field(axis) for axis in about.axes)]
    filtered = f" and {tag_field(ERROR_CLASS)} != 'none'"
    charts = {"How far they came": [line_chart(TRAIN_LOSS)]}
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
        order=(metric_field(ARM_ORDER), True),
    )  # fmt: skip


def _arms(about: Subject) -> View:
    names = [ARM_MEAN, ARM_MEAN_LOW, ARM_MEAN_HIGH, ARM_SEEDS]
    names += sorted(name for name in about.metrics if name.startswith(ARM) and name not in {*names, ARM_ORDER})
    charts = [bar_chart(ARM_MEAN), *(bar_chart(name) for name in names[4:] if not name.endswith(("_low", "_high")))]
    return _view(
        about, "8-arms", "8 Arms with intervals", {"Means over seeds": charts[: MOST_CHARTS + 1]}, kind="summary",
        columns=_columns(about, list(map(metric_field, names))), order=(metric_field(ARM_MEAN), False),
        charts_first=False,
    )  # fmt: skip


def _view(
    about: Subject,
    id_: str,
    name: str,
    charts: Mapping[str, list[dict[str, Any]]],
    *,
    kind: RunKind | None = "trial",
    filtered: str = "",
    columns: Sequence[str] | None = None,
    groups: Mapping[str, Any] | None = None,
    order: tuple[str, bool] = (metric_field(EVAL_MEAN), False),
    charts_first: bool = True,
) -> View:
    """Make a view.

    Args:
        about: what the study's views are about.
        id_: part of links, and of the ids of charts.
        name: in MLflow's menu.
        charts: name of a section -> its charts.
        kind: of the runs it shows; None for trials and summaries.
        filtered: a further condition, beginning with ` and `.
        columns: of the table; None for axes and scores.
        groups: how runs are grouped, in MLflow's words.
        order: a field, and whether it ascends.
        charts_first: whether links open the charts, not the table.
    """
    sections, cards = [], []
    for section, members in charts.items():
        wide = 1 if len(members) == 1 else 2 if len(members) <= 4 else 3
        if any(card["type"] == "PARALLEL" for card in members):
            wide = 1
        layout = {"columns": wide, "cardHeight": 640 if wide == 1 else 400}
        sections.append({"uuid": f"{id_}-{section}", "name": section, "display": True, "isReordered": True, **layout})
        for number, card in enumerate(members):
            cards.append({**card, "uuid": f"{id_}-{section}-{number}", "metricSectionId": f"{id_}-{section}"})
    shown = {card.get("metricKey") for card in cards}
    hidden = [
        {**bar_chart(metric), "uuid": f"{id_}-hidden-{number}", "deleted": True, "metricSectionId": sections[0]["uuid"]}
        for number, metric in enumerate(sorted(about.metrics - shown))
    ]
    state = {
        "searchFilter": (f"{tag_field(KIND)} != 'study'" if kind is None else f"{tag_field(KIND)} = '{kind}'")
        + f" and {tag_field(CURRENT)} = 'true'{filtered}",
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
    return [*(param_field(axis) for axis in about.axes), *more]


def _scores(about: Subject) -> list[str]:
    return _columns(
        about,
        [
            metric_field(EVAL_MEAN),
            *map(metric_field, about.benchmarks[:MOST_CHARTS]),
            metric_field(COST_GPU_SECONDS_ALONE),
        ],
    )


def _parallel_charts(about: Subject) -> list[dict[str, Any]]:
    """Draw numeric axes by their numbers, the others by their labels, then the primary score.

    MLflow writes the names of the coordinates side by side whatever room they have, so axes that do not fit on a page
    of 1,400 px go into another chart, with the score again.
    """
    coordinates = [axis for axis in about.axes if axis not in about.numeric]
    coordinates += [axis_number(axis) for axis in about.axes if axis in about.numeric]
    charts: list[list[str]] = [[]]
    for name in coordinates:
        if charts[-1] and not _fit([*charts[-1], name, EVAL_MEAN]):
            charts.append([])
        charts[-1].append(name)
    return [_parallel_chart(about, members) for members in charts]


def _parallel_chart(about: Subject, coordinates: Sequence[str]) -> dict[str, Any]:
    params = [name for name in coordinates if name in about.axes]
    metrics = [*(name for name in coordinates if name not in params), EVAL_MEAN]
    return {**chart_of_kind("PARALLEL"), "selectedParams": params, "selectedMetrics": metrics, "showAllRuns": True}


def _fit(names: Sequence[str]) -> bool:
    """Tell whether names fit side by side above the coordinates of a chart that is as wide as its section."""
    apart = PARALLEL_WIDTH / (len(names) - 1)
    return all((len(a) + len(b)) / 2 * LETTER_WIDTH + LETTER_WIDTH <= apart for a, b in pairwise(names))
