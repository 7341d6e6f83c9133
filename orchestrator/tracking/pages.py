"""Build links to MLflow's pages of a study."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from orchestrator.tracking.filter_language import has_tags, tag_field
from orchestrator.tracking.saved_views import View
from trainables.storage import tracked_names


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


def view_url(server: str, experiment: str, view: View) -> str:
    """Link to a saved view, for any browser.

    Args:
        server: its address.
        experiment: id of the study's experiment.
        view: the view.
    """
    query = {"workflowType": "machine_learning", "viewStateShareKey": view.id}
    if view.shows_charts:
        query["compareRunsMode"] = "CHART"
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{urlencode(query, quote_via=quote)}"
