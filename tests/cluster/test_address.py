"""Claims about which cluster a command is meant for; heads are sockets and processes that only look like them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import address as module
from cluster.address import ClusterAddress, find_cluster, given_address, local_heads, names_cluster
from search_spaces.errors import InputError


@contextmanager
def listening() -> Iterator[str]:
    """Listen on a loopback port without ever answering; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    """Return an address at which nothing listens."""
    with listening() as address:
        return address


@contextmanager
def raylet(address: str, folder: str) -> Iterator[int]:
    """Run a process that looks like a raylet of a head; yields its process id."""
    command = ["raylet", "-c", "input()", "--python_worker_command=python worker.py --gcs-address=" + address]
    with subprocess.Popen(
        [*command, f"--temp-dir={folder}"], executable=sys.executable, stdin=subprocess.PIPE
    ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(module, "CURRENT_CLUSTER", tmp_path / "ray_current_cluster")


@pytest.mark.parametrize(
    ("flag", "variable", "expected"),
    [
        (None, None, None),
        (None, "", None),
        (None, "local", None),
        ("local", "10.0.0.1:6379", None),
        (None, "10.0.0.1:6379", ClusterAddress("10.0.0.1:6379", "RAY_ADDRESS")),
        ("head:6379", "10.0.0.1:6379", ClusterAddress("head:6379", "--address")),
        ("[::1]:6379", None, ClusterAddress("[::1]:6379", "--address")),
        ("auto", "10.0.0.1:6379", ClusterAddress("10.0.0.1:6379", "RAY_ADDRESS")),
        ("auto", None, ClusterAddress("auto", "--address")),
        (None, "auto", ClusterAddress("auto", "RAY_ADDRESS")),
    ],
)
def test_given_address_flag_then_variable_then_this_machine(
    flag: str | None, variable: str | None, expected: ClusterAddress | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    assert given_address(flag) == expected
    assert names_cluster(flag) == (expected is not None)


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:8265", "ray://h:10001", "redis://h:1", "h", "h:0", "h:99999", "h :1"]
)
def test_given_address_what_is_no_head_is_refused_by_the_name_of_who_gave_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"^--address: .*host:port"):
        given_address(value)
    monkeypatch.setenv("RAY_ADDRESS", value)
    with pytest.raises(InputError, match=r"^RAY_ADDRESS: .*host:port"):
        given_address(None)


def test_given_address_of_a_dashboard_is_told_from_that_of_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://10.1.2.3:8265")
    with pytest.raises(InputError, match=r"dashboard.*10\.1\.2\.3:6379.*Unset RAY_ADDRESS"):
        given_address(None)


def test_find_cluster_nobody_listens_says_so_and_names_the_left_over_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    address = closed_port()
    with pytest.raises(InputError, match=rf"^--address: .*{address}, but it cannot be reached"):
        find_cluster(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=rf"^RAY_ADDRESS: .*{address}(?s:.*)Unset RAY_ADDRESS"):
        find_cluster(None)


def test_find_cluster_a_port_that_is_no_head_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 2.0)
    with listening() as address, pytest.raises(InputError, match="does not answer as the head"):
        find_cluster(address)


@pytest.mark.parametrize("folder", ["/tmp/ablate-12345678/ray", "/tmp/ablate-12345678"], ids=["now", "earlier version"])
def test_find_cluster_auto_never_joins_a_cluster_inside_another_process(folder: str) -> None:
    with listening() as address, raylet(address, folder) as pid:
        head = next(head for head in local_heads() if head.pid == pid)
        assert (head.address, head.embedded) == (address, True)
        with pytest.raises(InputError, match=rf"(?s)--address auto: .*{address} of user .*ends with the command"):
            find_cluster("auto")


def test_find_cluster_auto_names_a_stranger_that_does_not_answer() -> None:
    address = closed_port()
    with raylet(address, "/tmp/ray") as pid, pytest.raises(InputError, match=rf"{address} of user .*pid {pid}.*cannot"):
        find_cluster("auto")


def test_local_heads_the_last_ray_start_comes_first(tmp_path: Path) -> None:
    (tmp_path / "ray_current_cluster").write_text("10.0.0.9:6379")
    with raylet("10.0.0.8:6379", "/tmp/ray"):
        addresses = [head.address for head in local_heads()]
    assert addresses[0] == "10.0.0.9:6379"
    assert "10.0.0.8:6379" in addresses
