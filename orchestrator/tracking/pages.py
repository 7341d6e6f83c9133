"""Build links to MLflow's pages of a study."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from orchestrator.tracking.filter_language import has_tags, tag_field
from orchestrator.tracking.saved_views import View
from trainables.storage import tracked_names

LEADERBOARD = "ablate-1-leaderboard"
"""Id of the first saved view of every study."""


def experiment_page(server: str, experiment: str) -> str:
    """Link to the trials of a study, sorted by name: MLflow folds them away when sorted by their creation."""
    query = {
        "workflowType": "machine_learning",
        "searchFilter": has_tags({tracked_names.KIND: "trial", tracked_names.CURRENT: "true"}),
        "orderByKey": tag_field("mlflow.runName"),
        "orderByAsc": "true",
        "startTime": "ALL",
    }
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{urlencode(query, quote_via=quote)}"


def leaderboard_page(server: str, experiment: str) -> str:
    """Link to the view that every study's link opens on.

    Args:
        server: its address.
        experiment: id of the study's experiment.
    """
    return _view_page(server, experiment, LEADERBOARD, charts=True)


def view_url(server: str, experiment: str, view: View) -> str:
    """Link to a saved view, for any browser.

    Args:
        server: its address.
        experiment: id of the study's experiment.
        view: the view.
    """
    return _view_page(server, experiment, view.id, charts=view.shows_charts)


def _view_page(server: str, experiment: str, view: str, *, charts: bool) -> str:
    query = {"workflowType": "machine_learning", "viewStateShareKey": view}
    if charts:
        query["compareRunsMode"] = "CHART"
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{urlencode(query, quote_via=quote)}"
