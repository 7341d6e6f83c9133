"""`ray job submit` as a user types it, against a head on loopback with token authentication."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from cluster.job_python import HeadPython
from cluster.submit import Job
from orchestrator.cli import app
from search_spaces.errors import InputError
from tests.support.command_line import ROOT, ablate

RAY = str(Path(sys.executable).parent / "ray")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def head() -> Iterator[dict[str, str]]:
    """Environment in which `ray job submit` reaches a fresh head; the head and all it started end with the test."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets below it must have short paths
    port, dashboard = _free_port(), _free_port()
    environment = {
        **os.environ,
        "PATH": os.defpath,  # as where Ray was started by its absolute path: no environment is activated
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }
    start = [RAY, "start", "--head", "--block", f"--temp-dir={folder}", "--node-ip-address=127.0.0.1"]
    start += [f"--port={port}", f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1", "--num-cpus=2"]
    start += ["--object-store-memory=150000000", "--disable-usage-stats"]
    # Ray's agent listens on one fixed port by default: two heads on a machine would share it, one without an agent.
    start += [f"--dashboard-agent-{kind}-port={_free_port()}" for kind in ("listen", "grpc")]
    with open(Path(folder) / "start.log", "w") as log:
        process = subprocess.Popen(start, env=environment, stdout=log, stderr=log)
    try:
        yield {
            **environment,
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}",
            "START_LOG": log.name,
            "GCS": f"127.0.0.1:{port}",
        }
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        psutil.wait_procs(family, timeout=15)
        for survivor in family:
            if survivor.is_running():
                survivor.kill()
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _submit(environment: dict[str, str], *entrypoint: str) -> subprocess.CompletedProcess[str]:
    """Submit a job and wait for its end; a head that has only just started asks to try again later."""
    command = [RAY, "job", "submit", "--working-dir", ".", "--", *entrypoint]
    for _ in range(20):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=400)
        if "please try again later" not in done.stdout + done.stderr:
            break
    return done


def _wait_until_it_answers(environment: dict[str, str]) -> None:
    for _ in range(60):
        listing = subprocess.run([RAY, "job", "list"], capture_output=True, text=True, env=environment, timeout=60)
        if listing.returncode == 0:
            return
    raise AssertionError(Path(environment["START_LOG"]).read_text())


@pytest.mark.ray
def test_a_submitted_job_runs_trials_whose_results_are_found_from_another_directory(
    head: dict[str, str], tmp_path: Path
) -> None:
    _wait_until_it_answers(head)
    storage = tmp_path / "storage"
    environment = {**head, "ABLATE_STORAGE": str(storage)}
    run = [sys.executable, "-m", "orchestrator", "run", "quickstart", "--limit", "2", "--storage", str(storage)]
    done = _submit(environment, *run)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    status = ablate("status", "quickstart", "--limit", "2", "--json", storage=storage, cwd=elsewhere)
    assert json.loads(status.stdout)["counts"]["done"] == 2


@pytest.mark.ray
def test_submit_sends_the_resolved_study_and_ends_with_its_exit_code(head: dict[str, str], tmp_path: Path) -> None:
    _wait_until_it_answers(head)
    below, storage = tmp_path / "below.yaml", tmp_path / "storage"
    below.write_text("extends: quickstart\nstudy: from-afar\nseeds: [3]\n")
    environment = {**head, "ABLATE_STORAGE": str(storage)}
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "submit",
        str(below),
        "--toy",
        "--limit",
        "2",
        "--set",
        "seeds=[4]",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=400)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "from-afar is the job" in done.stdout
    assert f"it runs in {sys.executable}, Python {sys.version.split()[0]} of the head" in done.stdout
    shown = shlex.split(done.stdout.partition("is mounted: ")[2].splitlines()[0])
    status = subprocess.run(
        [sys.executable, "-m", "orchestrator", *shown[1:]], capture_output=True, text=True, cwd=ROOT, timeout=100
    )
    assert "from-afar-toy: 2 done" in status.stdout, status.stdout + status.stderr
    assert "2 of 2 trials are done." in done.stdout
    assert len(list((storage / "studies" / "from-afar-toy" / "trials").glob("*-s4-*"))) == 2


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        (["--storage", "/s"], "--address: must be given"),
        (["--storage", "here", "--address", "http://127.0.0.1:1"], "--storage: must be an absolute path"),
        (["--storage", "/s", "--address", "http://127.0.0.1:1"], "the cluster's dashboard must be reachable"),
        (["--storage", "/s", "--address", "http://127.0.0.1:1", "--set", "base.data=x"], "base.data: must be one of"),
        (
            ["--storage", "/s", "--address", "http://127.0.0.1:1", "--tracking-uri", "http://me:c4n4ry@server"],
            "--tracking-uri: must be an address without a password",
        ),
        (["--storage", "/s", "--address", "http://me:c4n4ry@127.0.0.1:1"], "the cluster's dashboard must be reachable"),
    ],
)
def test_submit_refuses_what_cannot_become_a_job(tmp_path: Path, arguments: list[str], law: str) -> None:
    done = ablate("submit", "quickstart", *arguments, storage=tmp_path, check=2)
    assert law in done.stderr
    assert "c4n4ry" not in done.stdout + done.stderr


def test_submit_passes_on_every_option_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entrypoints: list[str] = []

    def submit_job(address: str, folder: Path, entrypoint: str, **options: object) -> Job:
        """Stand in for the cluster's dashboard."""
        entrypoints.append(entrypoint)
        assert options["variables"] == {"NCCL_DEBUG": "INFO"}
        return Job("job", address)

    monkeypatch.setattr("cluster.submit.submit_job", submit_job)
    monkeypatch.setattr("cluster.job_client.job_client", lambda address: None)
    monkeypatch.setattr("cluster.job_python.find_python", lambda *asked: HeadPython("/env/bin/python", (3, 11, 7)))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    options = "--limit 2 --toy --offline --max-concurrent 3 --retries 5 --equal-failures 0 --on-storage-trouble pause"
    options += " --pause-at-most 9.0 --only base --only resolution=64 --retry-failed --restore-weights --until-decided"
    options += " --max-gpu-hours 2.5 --steps 3,5 --no-rehearsal --interface eth0 --launcher ray-train"
    monkeypatch.setenv("NCCL_DEBUG", "INFO")
    monkeypatch.setenv("NCCL_IB_HCA", "mlx5_0")
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "eth7")
    command = ["submit", "quickstart", "--storage", "/s", "--address", "http://head:8265", "--no-wait"]
    command += ["--python", "/env/bin/python"]
    done = CliRunner().invoke(app, [*command, *options.split(), "--set", "seeds=[4]"], catch_exceptions=False)
    given = options.replace(" --on-storage-trouble pause", "").split()  # as by default
    assert shlex.split(entrypoints[0])[:4] == ["/env/bin/python", "-m", "orchestrator", "run"]
    assert sorted(shlex.split(entrypoints[0])[4:]) == sorted(["study.yaml", "--storage", "/s", *given])
    again = shlex.split(done.output.partition("to resume it: ")[2])
    assert sorted(again[3:]) == sorted(
        [
            "--storage",
            "/s",
            *given,
            "--set",
            "seeds=[4]",
            "--address",
            "http://head:8265",
            "--python",
            "/env/bin/python",
            "--no-wait",
        ]
    )


@pytest.mark.parametrize("options", [["--steps", "3,5"], ["--on-storage-trouble", "exit", "--pause-at-most", "5"]])
def test_submit_refuses_options_of_a_run_that_do_not_go_together(tmp_path: Path, options: list[str]) -> None:
    command = ["submit", "quickstart", "--storage", "/s", "--address", "http://127.0.0.1:1", *options]
    assert isinstance(CliRunner().invoke(app, command).exception, InputError)


def _refused(environment: dict[str, str], *options: str) -> str:
    """Submit the quickstart with options that a cluster refuses, and return what is said of it."""
    command = [sys.executable, "-m", "orchestrator", "submit", "quickstart", "--storage", "/nowhere", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=100)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.partition("ablate: ")[2].strip().splitlines()) == 2  # the sentence and the way out
    return done.stderr


@pytest.mark.ray
def test_a_wrong_token_a_used_id_and_a_missing_python_are_each_said_in_a_sentence(head: dict[str, str]) -> None:
    _wait_until_it_answers(head)
    assert "wants another token" in _refused({**head, "RAY_AUTH_TOKEN": "0" * 64})
    assert "wants another token" in _refused({**head, "RAY_AUTH_MODE": "disabled"})
    submitted = [RAY, "job", "submit", "--submission-id", "used", "--no-wait", "--", "true"]
    subprocess.run(submitted, check=True, capture_output=True, env=head, timeout=100)
    assert "a job has the id used already" in _refused(head, "--id", "used")
    assert "none of these could be started there: /no/python" in _refused(head, "--python", "/no/python")


@pytest.mark.ray
def test_a_driver_outside_of_the_cluster_runs_trials_by_address(head: dict[str, str], tmp_path: Path) -> None:
    _wait_until_it_answers(head)
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "run",
        "quickstart",
        "--toy",
        "--limit",
        "2",
        "--address",
        head["GCS"],
    ]
    environment = {**head, "ABLATE_STORAGE": str(tmp_path / "storage")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=400)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "2 of 2 trials are done." in done.stdout
