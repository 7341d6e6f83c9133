"""Claims about cluster/connect.py without a cluster; tests/orchestrator/running/test_tuner.py has the embedded one."""

from __future__ import annotations

import socket

import pytest

from cluster.connect import connect, short_folder
from search_spaces.errors import InputError


def test_short_folder_path_too_long_for_sockets_is_replaced() -> None:
    assert short_folder("/tmp") == "/tmp"
    assert short_folder("/var/folders/" + "x" * 60, "/tmp") == "/tmp"


def test_connect_ray_client_address_is_refused_with_a_way_out() -> None:
    with (
        pytest.raises(InputError, match=r"--address: .*ray://head:10001.*\n.*ray job submit"),
        connect("ray://head:10001"),
    ):
        pass


def test_connect_nobody_listens_at_the_address_is_refused_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match=rf"--address: .*'{address}' is not"), connect(address):
        pass
