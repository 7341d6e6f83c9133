"""Measure a tracking server on Postgres: ``python -m measurements.tracking_server [--trials 1000]``.

A finished study is written to a storage without training and sent with `ablate sync` to an MLflow server that is
started by the command of cluster/mlflow/compose.yaml, on a Postgres of its own (Debian's package `postgresql`). Then
runs are asked for as the page of MLflow asks, a hundred at a time, and the command is given a second time.
"""

from __future__ import annotations

import argparse
import os
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
from pathlib import Path

import yaml
from mlflow import MlflowClient

from measurements.large_storage import write_finished_study
from measurements.planning import write_grid

COMPOSE = Path(__file__).parents[1] / "cluster" / "mlflow" / "compose.yaml"
USER = "mlflow"
PATIENCE_S = 240.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=1_000, help="of the study that is sent")
    trials: int = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # Postgres runs as another user
        study, storage = write_grid(root / "sent.yaml", max(1, trials // 2), seeds=[1, 2]), root / "storage"
        storage.mkdir()
        _, plan = write_finished_study(study, storage, storage / "sources")
        with _postgres(root) as database, _server(root, database) as address:
            _send(len(plan.trials), study, storage, address, "sent")
            _ask(plan.study, address)
            _send(len(plan.trials), study, storage, address, "sent again")


def _send(trials: int, study: Path, storage: Path, address: str, what: str) -> None:
    command = [sys.executable, "-m", "orchestrator", "sync", str(study), "--storage", str(storage)]
    began = time.monotonic()
    done = subprocess.run([*command, "--tracking-uri", address], capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    print(f"{what}: {trials:,} trials in {seconds:.1f} s, {1000 * seconds / trials:.0f} ms each", flush=True)


def _ask(study: str, address: str) -> None:
    """Ask for all runs of a study, a page of 100 after the other, as MLflow's page does when it is scrolled."""
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    seconds: list[float] = []
    runs, token = 0, None
    while not seconds or token:
        began = time.monotonic()
        page = client.search_runs([experiment.experiment_id], max_results=100, page_token=token)
        seconds.append(time.monotonic() - began)
        runs, token = runs + len(page), page.token
    print(f"pages: {runs:,} runs on {len(seconds)} pages, first {seconds[0]:.2f} s, slowest {max(seconds):.2f} s")


@contextmanager
def _postgres(root: Path) -> Iterator[tuple[int, str]]:
    """Run a database on loopback. Yields its port and the password of its user."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        raise RuntimeError("Postgres must be installed, but there is none: apt-get install postgresql")
    folder, port, password = root / "postgres", _free_port(), secrets.token_hex(16)
    folder.mkdir()
    (root / "password").write_text(password)
    for path in (folder, root / "password"):
        shutil.chown(path, "postgres")
    initdb = [
        str(binaries[-1] / "initdb"),
        f"--username={USER}",
        f"--pwfile={root / 'password'}",
        "--auth=scram-sha-256",
    ]
    initdb += [f"--pgdata={folder / 'data'}"]
    subprocess.run(initdb, check=True, user="postgres", cwd=folder, stdout=subprocess.DEVNULL)
    (root / "password").chmod(0o644)
    command = [str(binaries[-1] / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
    command += ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
    with (root / "postgres.log").open("w") as log:
        database = subprocess.Popen(command, user="postgres", cwd=folder, stdout=log, stderr=log)
    try:
        _wait(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close(), database)
        create = [str(binaries[-1] / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", USER, "mlflow"]
        for _ in range(50):  # it listens before it takes orders
            if subprocess.run(create, env={**os.environ, "PGPASSWORD": password}, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        yield port, password
    finally:
        database.send_signal(signal.SIGINT)
        database.wait(timeout=60)


@contextmanager
def _server(root: Path, database: tuple[int, str]) -> Iterator[str]:
    """Run MLflow by the command of the file for Docker Compose, with ports and paths of here. Yields its address."""
    port = _free_port()
    service = yaml.safe_load(COMPOSE.read_text())["services"]["server"]
    changes: Mapping[str, str] = {
        "$$": "$",
        "/run/secrets/database-password": str(root / "password"),
        "@database/": f"@127.0.0.1:{database[0]}/",
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
    main()
