"""Find the Ray cluster that a command is meant for, and ask whether it answers, before anything else is done.

Ray itself tries an address for a minute and more, and `auto` joins any cluster that it finds on the machine: one of
another user that listens on loopback only, or one inside another process that ends with it. Here every head is asked
once, in a process of its own, and has ten seconds.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from search_spaces.error_text import first_line
from search_spaces.errors import InputError

AUTO, LOCAL = "auto", "local"

ANSWER_WITHIN_S = 10.0
"""Seconds that all heads together have to answer."""

EMBEDDED_PREFIX = "ablate-"
"""Session folders of clusters inside a process begin so: nobody else may join them, because they end with it."""

CURRENT_CLUSTER = Path("/tmp/ray/ray_current_cluster")
"""Where `ray start` writes the address of the head that it started last on this machine."""

Origin = Literal["--address", "RAY_ADDRESS"]


@dataclass(frozen=True)
class ClusterAddress:
    """Address of a running cluster's head."""

    value: str
    """`host:port`, or `auto`."""
    origin: Origin
    """Who gave it."""


@dataclass(frozen=True)
class LocalHead:
    """Head that a Ray process on this machine belongs to."""

    address: str
    user: str
    """Who runs the process; empty if nobody knows."""
    pid: int
    """0 if the address was found in a file."""
    embedded: bool
    """Whether the cluster lives inside a process of this program."""

    def __str__(self) -> str:
        owner = f" of user {self.user} (pid {self.pid})" if self.pid else f" in {CURRENT_CLUSTER}"
        return f"{self.address}{owner}" + (", which ends with the command it belongs to" if self.embedded else "")


def given_address(flag: str | None) -> ClusterAddress | None:
    """Choose between `--address` and RAY_ADDRESS, which a job's process has from its cluster.

    Args:
        flag: value of `--address`; None if it was not given.

    Returns:
        The address, or None for a cluster inside this machine.

    Raises:
        InputError: for what is no address of a head.
    """
    if not names_cluster(flag):
        return None
    variable = _variable()
    named = flag if flag is not None and flag != AUTO else None
    if named is None and variable not in ("", LOCAL, AUTO):
        return _checked(ClusterAddress(variable, "RAY_ADDRESS"))
    return _checked(ClusterAddress(named or AUTO, "--address" if flag is not None else "RAY_ADDRESS"))


def names_cluster(flag: str | None) -> bool:
    """Check whether `--address` (None: not given), or else RAY_ADDRESS, names a running cluster, rightly or wrongly."""
    return (_variable() if flag is None else flag) not in ("", LOCAL)


def _variable() -> str:
    return os.environ.get("RAY_ADDRESS", "").strip()


def find_cluster(flag: str | None) -> ClusterAddress | None:
    """Choose a cluster as `given_address`, and ask its head whether it is there.

    Returns:
        The address as `host:port`, or None for a cluster inside this machine.

    Raises:
        InputError: if no head answers within `ANSWER_WITHIN_S`; it names what was asked and what it said.
    """
    address = given_address(flag)
    if address is None:
        return None
    if address.value == AUTO:
        return ClusterAddress(_find_local_head(address), address.origin)
    refusal = ask_head(address.value, ANSWER_WITHIN_S)
    if refusal is not None:
        raise unreachable(address, refusal)
    return address


def unreachable(address: ClusterAddress, reason: str) -> InputError:
    """Make the error for a head that does not answer; `reason` completes "but it"."""
    if address.origin == "RAY_ADDRESS":
        way_out = "Is the variable left over? Unset RAY_ADDRESS, or give --address local, to run on this machine."
    else:
        way_out = "Is it running? `ray status --address ...` asks the same. Without --address this machine is used."
    law = f"the head of the Ray cluster must answer at {address.value}, but it {reason}"
    return InputError(law, place=address.origin, way_out=way_out)


def ask_head(address: str, seconds: float) -> str | None:
    """Ask a head whether it is one, in a process of its own: Ray's client waits too long and writes to the terminal.

    Args:
        address: `host:port`.
        seconds: that the answer may take.

    Returns:
        None if it answers, else what is wrong, to complete "but it ...".
    """
    ends = time.monotonic() + seconds
    silence = ask_port(address, seconds)
    if silence is not None:
        return silence
    script = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
    command = [sys.executable, "-c", f"{script}\nprint('answers')", address]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=max(1.0, ends - time.monotonic())
        )
    except subprocess.TimeoutExpired:
        return f"does not answer as the head of a Ray cluster within {seconds:.0f} s"
    if "answers" in asked.stdout:
        return None
    last = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
    if "AuthenticationError" in asked.stderr:
        return "wants another token than RAY_AUTH_TOKEN (or ~/.ray/auth_token) holds; is RAY_AUTH_MODE=token set?"
    return f"refuses: {last}"


def ask_port(address: str, seconds: float) -> str | None:
    """Ask whether anything listens at `host:port`. Returns None if so, else what is wrong, to complete "but it ..."."""
    try:
        socket.create_connection(_host_and_port(address), timeout=seconds).close()
    except TimeoutError:
        return f"does not within {seconds:.0f} s"
    except OSError as error:
        return f"cannot be reached: {error.strerror or first_line(error)}"
    return None


def _checked(address: ClusterAddress) -> ClusterAddress:
    scheme, separator, rest = address.value.partition("://")
    if separator:
        way_out = _way_out_of_scheme(scheme, rest, address.origin)
    elif address.value == AUTO or _is_host_and_port(address.value):
        return address
    else:
        way_out = "The head's port is usually 6379."
    law = f"a cluster's address must be `auto`, `local` or host:port of its head, but got {address.value!r}"
    raise InputError(law, place=address.origin, way_out=way_out)


def _is_host_and_port(address: str) -> bool:
    try:
        _host_and_port(address)
    except ValueError:
        return False
    return True


def _way_out_of_scheme(scheme: str, rest: str, origin: Origin) -> str:
    if scheme == "ray":
        return "Ray Client has no support for Tune; submit the command as a job instead (ray job submit)."
    leave = "Unset RAY_ADDRESS, or give --address local, to run on this machine." if origin == "RAY_ADDRESS" else ""
    if scheme in ("http", "https"):
        host = rest.partition("/")[0].rpartition(":")[0] or "HEAD"
        return (
            "That is the dashboard, for `ray job submit` and `ablate submit`; "
            f"the head itself is usually {host}:6379. {leave}"
        ).rstrip()
    return leave


def _host_and_port(address: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 address stands in brackets. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or any(map(str.isspace, host)):
        raise ValueError(f"not host:port: {address!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _find_local_head(address: ClusterAddress) -> str:
    """Find a head for `auto`: the one that `ray start` was last given here, else any that answers."""
    heads = list(local_heads())
    ends = time.monotonic() + ANSWER_WITHIN_S
    tried: list[str] = []
    for head in heads:
        left = ends - time.monotonic()
        refusal = "was not asked" if left < 1 else None if head.embedded else ask_head(head.address, left)
        if refusal is None and not head.embedded:
            return head.address
        tried.append(str(head) if head.embedded else f"{head}, which {refusal}")
    found = f"found {'; '.join(tried)}" if tried else "found no process of Ray"
    raise InputError(
        f"a running Ray cluster must be found on this machine, but none can be joined: {found}",
        place=f"{address.origin} {AUTO}",
        way_out="Start one (ray start --head), give host:port of its head, or leave --address out.",
    )


def local_heads() -> Sequence[LocalHead]:
    """List the heads of clusters that have a process on this machine, the one of the last `ray start` first."""
    running = {head.address: head for head in _heads_of_processes()}
    with suppress(OSError, UnicodeDecodeError):
        last = CURRENT_CLUSTER.read_text().strip()
        first = running.pop(last, LocalHead(last, "", 0, embedded=False))
        return [first, *running.values()] if last else list(running.values())
    return list(running.values())


def _heads_of_processes() -> Iterator[LocalHead]:
    for process in psutil.process_iter(["pid", "username", "cmdline"]):
        line = process.info["cmdline"] or []
        if line and Path(line[0]).name == "raylet":
            words = " ".join(line).split(" ")  # the command of workers is one argument with options of its own
            flags = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
            if (address := flags.get("--gcs-address", "None")) not in ("", "None"):
                folder = Path(flags.get("--temp-dir", ""))  # earlier versions had nothing between it and Ray's sessions
                embedded = any(path.name.startswith(EMBEDDED_PREFIX) for path in (folder, folder.parent))
                yield LocalHead(address, process.info["username"] or "", process.info["pid"], embedded)
