"""Choose the network interfaces over which workers on several hosts meet. No Ray.

gloo asks for the address of the host's own name, which on Debian and Ubuntu is 127.0.1.1, and then waits for peers on
loopback. So each worker names the interface that carries the address under which Ray reaches its node.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Mapping, Sequence

import psutil

GLOO, NCCL = "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"

Interfaces = Mapping[str, Sequence[str]]
"""Name of an interface -> its IP addresses."""


def host_interfaces() -> dict[str, tuple[str, ...]]:
    """List the network interfaces of this host with their IP addresses."""
    found = psutil.net_if_addrs().items()
    return {name: tuple(each.address for each in addresses if _ip(each.address)) for name, addresses in found}


def interface_of(address: str, interfaces: Interfaces) -> str | None:
    """Find the interface that carries an IP address; None if there is none, as behind address translation."""
    wanted = _ip(address)
    if wanted is None:
        return None
    return next((name for name, own in interfaces.items() if wanted in map(_ip, own)), None)


def meeting_interfaces(
    address: str, chosen: str | None, inherited: Mapping[str, str], interfaces: Interfaces
) -> str | None:
    """Choose the interfaces over which a worker meets those of other hosts.

    Args:
        address: under which Ray reaches the worker's node.
        chosen: for this run, names separated by commas; None where nobody has.
        inherited: variables with which Ray was started on the node.
        interfaces: of the host.

    Returns:
        Names separated by commas; None to leave the choice to gloo and NCCL.
    """
    return chosen or inherited.get(GLOO) or interface_of(address, interfaces)


def missing_interfaces(names: str | None, interfaces: Interfaces) -> tuple[str, ...]:
    """List those of some names, separated by commas, that are no interfaces of a host."""
    return tuple(name for name in (names or "").split(",") if name and name not in interfaces)


def described(interfaces: Interfaces) -> str:
    """Describe the interfaces of a host for people: ``lo (127.0.0.1), eth0 (10.0.0.1)``."""
    each = [f"{name} ({own[0]})" if own else name for name, own in interfaces.items()]
    return ", ".join(each) or "none"


def network_variables(
    address: str, one_node: bool, chosen: str | None, inherited: Mapping[str, str], interfaces: Interfaces
) -> dict[str, str]:
    """Return the environment variables by which gloo and NCCL take their interfaces.

    Args:
        address: under which Ray reaches the worker's node.
        one_node: whether all workers of the group run on it. They meet on loopback then, by name: looking the host name
            up is slow or wrong on many laptops.
        chosen: for this run, names separated by commas; None where nobody has.
        inherited: variables with which Ray was started on the node; what was set there stays, unless the run chooses.
        interfaces: of the host.
    """
    if one_node:
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        return {GLOO: loopback, NCCL: loopback}
    names = meeting_interfaces(address, chosen, inherited, interfaces)
    if names is None:
        return {}
    of_nccl = {} if NCCL in inherited and chosen is None else {NCCL: f"={names}"}  # "=": no prefixes of other names
    return {GLOO: names, **of_nccl}


def nccl_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """List what an environment sets for NCCL's log (`NCCL_DEBUG`, `NCCL_DEBUG_SUBSYS`, `NCCL_DEBUG_FILE`).

    All else, such as `NCCL_IB_HCA`, is a host's own: it would replace what Ray was started with there.
    """
    return {name: value for name, value in environment.items() if name.startswith("NCCL_DEBUG")}


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address, without the zone that a link-local one of IPv6 has; None for one of hardware."""
    try:
        return ipaddress.ip_address(address.partition("%")[0].strip("[]"))
    except ValueError:
        return None
