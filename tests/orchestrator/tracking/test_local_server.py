"""MLflow's server is started on a port of this machine alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from orchestrator.tracking.local_server import HOST, local_server
from search_spaces.errors import InputError

SERVER = """
import socket, sys

listening = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
answer = b"not HTTP"
while True:
    connection, _ = listening.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(answer)
    answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"
"""
"""In the place of MLflow's: its first answer is none, as that of a server which is about to start may be."""


def test_a_server_is_asked_without_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").touch()
    (tmp_path / "mlflow" / "__main__.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with local_server(f"sqlite:///{tmp_path}/none.db") as server:
        assert server.process.poll() is None
        assert server.address.startswith(f"http://{HOST}:")
    assert server.process.poll() is not None


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen()
        port = listening.getsockname()[1]
        law = rf"must be free, but something listens on 127\.0\.0\.1:{port}"
        with pytest.raises(InputError, match=law), local_server(f"sqlite:///{tmp_path}/none.db", port):
            pass


def test_a_server_that_ends_instead_of_answering_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"MLflow must answer, but it ended with exit code (?s:.*)nothing-known"),
        local_server("nothing-known://x"),
    ):
        pass
