"""Claims about the network interfaces over which workers on several hosts meet."""

from __future__ import annotations

import pytest

from cluster.interfaces import (
    host_interfaces,
    interface_of,
    meeting_interfaces,
    missing_interfaces,
    nccl_settings,
    network_variables,
)

HOST = {
    "lo": ("127.0.0.1", "127.0.1.1", "::1"),
    "eth0": ("192.168.0.7", "fe80::1%eth0"),
    "ib0": ("10.0.0.7", "fd00::7", "fe80::2%ib0"),
    "docker0": (),
}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.168.0.7", "eth0"),
        ("10.0.0.7", "ib0"),
        ("fd00::7", "ib0"),
        ("fd00:0:0:0::7", "ib0"),
        ("fe80::1", "eth0"),
        ("127.0.1.1", "lo"),
        ("172.17.0.1", None),
        ("node-a", None),
    ],
)
def test_the_interface_is_the_one_that_carries_the_address_of_the_ray_node(address: str, name: str | None) -> None:
    assert interface_of(address, HOST) == name


def test_the_interfaces_of_this_host_have_its_loopback() -> None:
    assert interface_of("127.0.0.1", host_interfaces()) in ("lo", "lo0")


@pytest.mark.parametrize(
    ("chosen", "inherited", "names"),
    [
        (None, {}, "ib0"),
        (None, {"GLOO_SOCKET_IFNAME": "eth0"}, "eth0"),
        ("docker0", {"GLOO_SOCKET_IFNAME": "eth0"}, "docker0"),
    ],
    ids=["of Ray's address", "where Ray was started", "of the run"],
)
def test_what_a_run_chooses_goes_before_what_a_host_has_and_that_before_the_address(
    chosen: str | None, inherited: dict[str, str], names: str
) -> None:
    assert meeting_interfaces("10.0.0.7", chosen, inherited, HOST) == names
    assert network_variables("10.0.0.7", False, chosen, inherited, HOST)["GLOO_SOCKET_IFNAME"] == names


def test_nccl_is_given_the_whole_name_unless_the_operator_has_named_another() -> None:
    assert network_variables("10.0.0.7", False, None, {}, HOST)["NCCL_SOCKET_IFNAME"] == "=ib0"
    operators = {"NCCL_SOCKET_IFNAME": "eth"}
    assert network_variables("10.0.0.7", False, None, operators, HOST) == {"GLOO_SOCKET_IFNAME": "ib0"}
    chosen = network_variables("10.0.0.7", False, "eth0,ib0", operators, HOST)
    assert chosen == {"GLOO_SOCKET_IFNAME": "eth0,ib0", "NCCL_SOCKET_IFNAME": "=eth0,ib0"}


def test_workers_of_one_node_meet_on_loopback() -> None:
    variables = network_variables("10.0.0.7", True, "ib0", {"GLOO_SOCKET_IFNAME": "eth0"}, HOST)
    assert set(variables) == {"GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"}
    assert all(name.startswith("lo") for name in variables.values())


def test_an_address_that_no_interface_carries_leaves_the_choice_to_the_libraries() -> None:
    assert network_variables("172.17.0.1", False, None, {}, HOST) == {}


def test_interfaces_that_are_not_there_are_listed() -> None:
    assert missing_interfaces("eth0,eth9,ib1", HOST) == ("eth9", "ib1")
    assert missing_interfaces(None, HOST) == ()


def test_of_a_terminal_only_the_settings_of_nccls_log_are_sent_as_the_others_are_the_hosts_own() -> None:
    log = {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "NET"}
    own = {"NCCL_IB_HCA": "mlx5_0", "NCCL_NET": "IB", "NCCL_TOPO_FILE": "/x", "NCCL_SOCKET_IFNAME": "eth0", "PATH": "/"}
    assert nccl_settings({**log, **own}) == log
