"""Describe the charts of MLflow's runs page."""

from __future__ import annotations

from typing import Any

MOST_RUNS = 100
"""Runs drawn in one chart; the page loads as many."""


def chart_of_kind(kind: str) -> dict[str, Any]:
    return {"type": kind, "deleted": False, "isGenerated": False, "runsCountToCompare": MOST_RUNS}


def bar_chart(metric: str) -> dict[str, Any]:
    return {**chart_of_kind("BAR"), "metricKey": metric}


def line_chart(metric: str) -> dict[str, Any]:
    return {
        **chart_of_kind("LINE"),
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def scatter_chart(x: str, y: str) -> dict[str, Any]:
    return {**chart_of_kind("SCATTER"), "xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}
