"""MLflow's server is started on a port of this machine alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from orchestrator.tracking.local_server import HOST, local_server
from search_spaces.errors import InputError


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
