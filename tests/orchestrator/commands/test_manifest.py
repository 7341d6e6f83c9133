"""`ablate submit --render` prints what a cluster takes, sends nothing, and refuses what would not run there."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cluster.manifests.forms import FORMS
from orchestrator.cli import app
from search_spaces.errors import InputError
from tests.support.manifests import render, try_render


def test_a_manifest_is_printed_without_a_cluster_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be sent")

    monkeypatch.setattr("cluster.submit.submit_job", refuse)
    text = render("rayjob", "kuberay", "--storage", "/elsewhere", "--max-concurrent", "3")
    first, _ = text.split("\n", 1)
    assert first == (
        "# ablate submit quickstart --render rayjob --profile kuberay --storage /elsewhere --max-concurrent 3"
    )
    assert "run /etc/ablate/study.yaml --storage /elsewhere --max-concurrent 3\n" in text


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        (["--render", "rayjob"], "--profile: must be given with --render"),
        (["--profile", "aws"], "--profile: must come with --render"),
        (["--render", "rayjob", "--profile", "kuberey"], "Did you mean 'kuberay'?"),
        (["--render", "sbatch", "--profile", "local"], "--storage: must be given, as the profile has no `storage`"),
        (["--render", "rayjob", "--profile", "kuberay", "--storage", "here"], "--storage: must be an absolute path"),
        (
            ["--render", "rayjob", "--profile", "kuberay", "--tracking-uri", "http://me:c4n4ry@server"],
            "--tracking-uri: must be an address without a password",
        ),
    ],
)
def test_what_cannot_be_a_manifest_is_refused(arguments: list[str], law: str) -> None:
    environment = {"MLFLOW_TRACKING_URI": None, "ABLATE_STORAGE": None}
    result = CliRunner().invoke(app, ["submit", "quickstart", *arguments], env=environment)
    assert isinstance(result.exception, InputError)
    assert law in str(result.exception)
    assert "c4n4ry" not in str(result.exception)


def test_the_option_has_every_form() -> None:
    help_text = CliRunner().invoke(app, ["submit", "--help"], env={"COLUMNS": "200"}).output
    assert "|".join(FORMS) in help_text


def test_a_study_that_does_not_fit_on_the_cluster_is_refused() -> None:
    error = try_render("rayjob", "kuberay", "--set", "resources={workers: 64, gpus_per_worker: 1}").exception
    assert isinstance(error, InputError)
    assert "every trial must fit into the cluster, but base asks for 64 workers" in str(error)


def test_a_password_in_a_study_gets_into_no_manifest() -> None:
    error = try_render("rayjob", "kuberay", "--set", "question=of http://me:c4n4ry@server/").exception
    assert isinstance(error, InputError)
    assert "must hold no password and no token" in str(error)
