"""Claims about cluster/private_token.py: who has no token, or another one, gets no answer from an embedded cluster."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import ray

from cluster.connect import connect
from cluster.private_token import private_token

ASK = """
import sys
from ray._raylet import GcsClient
print("nodes", len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=60)))
"""


def ask(address: str, **variables: str) -> subprocess.Popen[str]:
    """Ask a cluster for its nodes, from a process that has nothing of this one's environment but what is given."""
    return subprocess.Popen(
        [sys.executable, "-c", ASK, address],
        env={"PATH": os.defpath, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.ray
def test_an_embedded_cluster_answers_only_who_has_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # of the user's own clusters
    stranger = {"HOME": str(tmp_path / "stranger")}
    with connect(cpus=1):
        address = ray.get_runtime_context().gcs_address
        file = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        token = file.read_text()
        processes = {
            "owner": ask(address, **stranger, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(file)),
            "no token": ask(address, **stranger),
            "another token": ask(address, **stranger, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32)),
        }
        answers = {name: process.communicate() for name, process in processes.items()}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        logs = [log for log in file.parent.rglob("*") if log.is_file() and log != file]
        assert logs
        assert not [log for log in logs if token.encode() in log.read_bytes()]
        commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        assert not [command for command in commands if token in " ".join(command)]
    assert answers["owner"] == ("nodes 1\n", "")
    for name in ("no token", "another token"):
        assert "nodes" not in answers[name][0]
        assert "Unauthenticated" in answers[name][1]
    assert not file.parent.exists()
    assert not (tmp_path / ".ray").exists()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_private_token_hides_the_users_own_token_while_the_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    with private_token(tmp_path):
        assert "RAY_AUTH_TOKEN" not in os.environ
        first = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).read_text()
    assert (os.environ["RAY_AUTH_TOKEN"], list(tmp_path.iterdir())) == ("mine", [])
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ
    with private_token(tmp_path):
        assert Path(os.environ["RAY_AUTH_TOKEN_PATH"]).read_text() != first
