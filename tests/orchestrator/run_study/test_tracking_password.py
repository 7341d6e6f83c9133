"""A whole run and a sync with a tracking server whose address has a password, and where that is then found."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import psutil
import pytest

from docs.screenshot import served
from tests.support.command_line import SMALL, ablate
from tests.support.followed_run import followed_run

USER, PASSWORD = "ada", "correct-horse-4711"
FORMS = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode().rstrip("="))
"""The password as it is, and as a request to a server carries it."""


def places(folder: Path) -> list[str]:
    """List the files below a folder that hold the password, or are called by it."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [
        str(file)
        for file in files
        if any(form in str(file.relative_to(folder)) or form.encode() in file.read_bytes() for form in FORMS)
    ]


def said_and_commands(run: subprocess.Popen[str]) -> tuple[str, set[str]]:
    """Read what a run says until it ends, and at each line the commands of its processes."""
    process, commands, said = psutil.Process(run.pid), set[str](), ""
    assert run.stdout is not None
    for line in run.stdout:
        said += line
        for child in (process, *process.children(recursive=True)):
            try:
                commands.add(" ".join(child.cmdline()))
            except psutil.Error:
                continue
    return said, commands


@pytest.mark.ray
@pytest.mark.slow
def test_a_password_of_a_tracking_server_is_in_no_file_no_process_list_no_run_and_nothing_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, storage, server = tmp_path / "small.yaml", tmp_path / "s", tmp_path / "server"
    file.write_text(SMALL.replace("[gelu-mlp, linear]", "[gelu-mlp]").replace("easy-vqa\n", "[easy-vqa-shape]\n"))
    server.mkdir()
    log = tmp_path / "said.txt"
    with served(server / "server.db") as address:
        uri = address.replace("://", f"://{USER}:{PASSWORD}@")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with followed_run(file, storage, "--toy") as run:
            said, commands = said_and_commands(run)
        assert run.returncode == 0, said
        again = ablate("run", str(file), "--toy", "--json", storage=storage)
        sent = ablate("sync", str(file), "--toy", storage=storage)
        named = ablate("sync", str(file), "--toy", "--tracking-uri", uri, storage=storage)
        shown = ablate("status", str(file), "--toy", "--json", storage=storage)
        log.write_text(said + "\n".join(done.stdout + done.stderr for done in (again, sent, named, shown)))
    assert any("raylet" in command for command in commands)
    assert [command for command in commands if any(form in command for form in FORMS)] == []
    assert (server / "server.db").stat().st_size > 0
    assert "***" in log.read_text()
    assert places(tmp_path) == []
