"""`ablate submit --render` prints what a cluster takes, sends nothing, and refuses what would not run there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cluster.manifests.forms import FORMS, ManifestForm
from orchestrator.cli import app
from search_spaces.errors import InputError
from tests.support.command_line import SMALL
from tests.support.manifests import render, try_render
from trainables.storage import layout
from trainables.storage.store import LocalStore

PROFILES = Path(__file__).parents[3] / "cluster" / "profiles"


def test_a_manifest_is_printed_without_a_cluster_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be sent")

    monkeypatch.setattr("cluster.submit.submit_job", refuse)
    text = render("rayjob", "kuberay", "--storage", "/shared/ablate/team", "--max-concurrent", "3")
    first, _ = text.split("\n", 1)
    assert first == (
        "# ablate submit quickstart --render rayjob --profile kuberay --storage /shared/ablate/team --max-concurrent 3"
    )
    assert "run /etc/ablate/study.yaml --storage /shared/ablate/team --max-concurrent 3\n" in text


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        (["--render", "rayjob"], "--profile: must be given with --render"),
        (["--profile", "aws"], "--profile: must come with --render"),
        (["--render", "rayjob", "--profile", "kuberey"], "Did you mean 'kuberay'?"),
        (["--render", "sbatch", "--profile", "local"], "--storage: must be given, as the profile has no `storage`"),
        (["--render", "rayjob", "--profile", "kuberay", "--storage", "here"], "--storage: must be an absolute path"),
        (
            ["--render", "ray-up", "--profile", "aws", "--storage", "/s --privileged"],
            "--storage: must be one word",
        ),
        (["--render", "ray-up", "--profile", "aws", "--storage", "/s:/etc"], "--storage: must be an absolute path"),
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


@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028"])
def test_a_line_break_on_the_command_line_ends_no_comment(end: str) -> None:
    error = try_render("sbatch", "slurm", "--set", f"question='a{end}#SBATCH --nodes=99'").exception
    assert isinstance(error, InputError)
    assert "must have no line break" in str(error)


def test_the_storage_of_this_machine_is_not_that_of_the_cluster() -> None:
    command = ["submit", "quickstart", "--render", "sbatch", "--profile", "slurm"]
    variables = {"MLFLOW_TRACKING_URI": None, "ABLATE_STORAGE": "/home/me/ablate"}
    assert CliRunner().invoke(app, command, env=variables).output == render("sbatch", "slurm")
    given = CliRunner().invoke(app, [*command, "--storage", "/home/me/ablate"], env=variables).output
    assert "--storage /home/me/ablate --address" in given


@pytest.mark.parametrize(
    ("form", "of", "told"),
    [
        ("rayjob", "kuberay", " --may-come 4x96:8@accelerator=H100\n"),
        ("rayjob", "kuberay-kueue", None),
        ("sbatch", "slurm", None),
        ("ray-up", "aws", " --may-come 4x192:8@accelerator=H100\n"),
    ],
)
def test_a_run_is_told_of_nodes_that_come_while_it_goes_on(
    tmp_path: Path, form: ManifestForm, of: str, told: str | None
) -> None:
    """Else it refuses a trial of more nodes than are there at first; Slurm and Kueue grant all of them at once."""
    written = yaml.safe_load((PROFILES / f"{of}.yaml").read_text())
    (kind,) = written["nodes"].values()
    kind["min"] = 1
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(written))
    wide = f"resources={{workers: {2 * kind['gpus']}, gpus_per_worker: 1}}"
    text = render(form, str(tmp_path / "ours.yaml"), "--set", wide)
    assert told in text if told else "--may-come" not in text


def test_a_password_in_a_study_gets_into_no_manifest() -> None:
    error = try_render("rayjob", "kuberay", "--set", "question=of http://me:c4n4ry@server/").exception
    assert isinstance(error, InputError)
    assert "must hold no password and no token" in str(error)


def test_a_study_on_a_storage_that_is_seen_here_goes_by_its_name(tmp_path: Path) -> None:
    LocalStore(tmp_path).put(layout.study_file("small"), SMALL.encode())
    text = render("sbatch", "slurm", "--storage", str(tmp_path), study="small")
    assert "question: Does it run?" in text
    result = try_render("sbatch", "slurm", "--storage", str(tmp_path), study="smal")
    assert "Did you mean 'small'?" in str(result.exception)
