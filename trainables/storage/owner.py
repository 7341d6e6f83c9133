"""Name a process on a host, so that others can tell whether it still lives: who holds a lease or works in a folder."""

from __future__ import annotations

import json
import os
import socket
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_PLACES = ("boot", "namespace")
_CHECKSUM = "~checksum"


@dataclass(frozen=True)
class Owner:
    """Process on a host that holds a lease or works in a folder."""

    host: str
    """Empty if nobody knows: the lease cannot be read."""
    pid: int
    started: float
    """Seconds from the start of the host to that of the process: distinguishes it from a later one with its number, and
    does not move when the host's clock is set."""
    boot: str = ""
    """Names the time that the host has been up; containers of one host have the same. Empty where nothing names it."""
    namespace: str = ""
    """Names the set of processes that `pid` counts in: containers of one host have different ones, and may call
    themselves alike."""

    @staticmethod
    def here() -> Owner:
        """Name this process."""
        return Owner(socket.gethostname(), os.getpid(), _started(os.getpid()), *_boot_and_namespace())

    @staticmethod
    def parse(content: bytes) -> Owner | None:
        """Parse the bytes of `to_bytes`; None for any other content."""
        try:
            fields = json.loads(content)
        except (ValueError, RecursionError):
            return None
        match fields:
            case {"host": str(host), "pid": int(pid), "started": float(started)} if 0 < pid < 2**31:
                boot, namespace = (value if isinstance(value := fields.get(key), str) else "" for key in _PLACES)
                owner = Owner(host, pid, started, boot, namespace)
                written = {name: value for name, value in fields.items() if name != _CHECKSUM}
                return owner if fields.get(_CHECKSUM, _checksum(written)) == _checksum(written) else None
        return None

    def to_bytes(self) -> bytes:
        """Write the owner with a checksum: a digit that changes would make it another process, which may be gone."""
        return json.dumps({**asdict(self), _CHECKSUM: _checksum(asdict(self))}).encode()

    def is_in_sight(self) -> bool:
        """Check whether a process of this number, seen from here, would be the owner's: same host, boot and container.

        An owner of an earlier version says no boot, and is out of sight where there is one.
        """
        return (self.host, self.boot, self.namespace) == (socket.gethostname(), *_boot_and_namespace())

    def is_gone(self) -> bool:
        """Check whether the owner's process has ended; False for one that is out of sight."""
        if not self.is_in_sight():
            return False
        if not psutil.pid_exists(self.pid):  # by a signal: /proc may hide processes of other users
            return True
        try:
            return abs(_started(self.pid) - self.started) > 2 or (
                psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
            )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return not psutil.pid_exists(self.pid)


def _checksum(fields: Mapping[str, object]) -> int:
    """Compute the CRC-32 of all fields as their file has them, also of those that this version does not know.

    Owners of earlier versions have none in their files.
    """
    return zlib.crc32(json.dumps(fields).encode())


def _boot_and_namespace() -> tuple[str, str]:
    """Read what Linux calls this boot and this process's PID namespace; empty where it is not Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, os.readlink("/proc/self/ns/pid")
    except OSError:
        return "", ""


def _started(pid: int) -> float:
    return psutil.Process(pid).create_time() - psutil.boot_time()
