"""Real Ray on several nodes of one machine, each in its own network, mount, process and host name spaces.

The nodes hang on one bridge, and the name of each resolves to 127.0.1.1, as Debian and Ubuntu set hosts up. All of it
lives in one PID namespace: when its first process ends, the kernel ends the rest, so nothing is ever left.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType

import psutil

from tests.support.command_line import ROOT

UNSHARED = [
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
]
PORT = 6379

LAB = """
set -eu
ip link set lo up
ip link add bridge type bridge
ip link set bridge up
for number in $(seq $NODES); do
    ip link add port$number type veth peer name eth$number
    ip link set port$number master bridge up
    unshare --net --mount --uts --pid --fork --kill-child --mount-proc sh -c "$NODE" node $number \
        > $FOLDER/node-$number.log 2>&1 &
    node=$!
    while [ "$(readlink /proc/$node/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
    ip link set eth$number netns $node
    while [ ! -e $FOLDER/up-$number ]; do
        kill -0 $node || { cat $FOLDER/node-$number.log; exit 99; }
        sleep 0.1
    done
    [ $number = 1 ] && first=$(pgrep -P $node)
done
exec_driver() { nsenter --target $first --net --mount --uts --pid -- "$@"; }
exec_driver "$@"
"""
"""Starts the nodes one after another, then the driver inside the first; ends with the driver's exit code."""

NODE = """
set -eu
until ip link set eth$1 name eth0 2> /dev/null; do sleep 0.05; done
ip link set lo up
ip addr add 10.77.0.$1/24 dev eth0
ip -6 addr add fd77::$1/64 dev eth0 nodad
ip link set eth0 up
hostname node-$1
printf '127.0.0.1 localhost\\n127.0.1.1 node-%s\\n' $1 > $FOLDER/hosts-$1
mount --bind $FOLDER/hosts-$1 /etc/hosts
mount -t tmpfs tmpfs /dev/shm
mkdir $FOLDER/$1
[ $1 = 1 ] && role="--head --port=$PORT --include-dashboard=false --num-cpus=$HEAD_CPUS" \
    || role="--address=$HEAD --num-cpus=$CPUS --labels=number=node-$1"
$RAY start $role --node-ip-address=$PREFIX$1 --temp-dir=$FOLDER/$1 --object-store-memory=100000000 --disable-usage-stats
touch $FOLDER/up-$1
exec sleep infinity
"""


@cache
def namespaces_refused() -> str | None:
    """Say why this machine gives no namespaces to this user; None if it does."""
    tools = [name for name in ("unshare", "nsenter", "ip", "mount", "hostname", "pgrep") if shutil.which(name) is None]
    if tools:
        return f"no {', '.join(tools)}"
    trial = [*UNSHARED, "sh", "-c", "ip link add bridge type bridge && ip link add port1 type veth peer name eth1"]
    tried = subprocess.run(trial, capture_output=True, text=True, timeout=60)
    return None if tried.returncode == 0 else tried.stderr.strip() or "refused"


class NodeLab:
    """Nodes, and a driver that runs in the first of them.

    Args:
        process: the shell that has started all of it.
        folder: with the logs of the nodes.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path):
        self.process, self._folder = process, folder

    def finished(self, timeout_s: float) -> tuple[int, str]:
        """Wait for the driver. Returns its exit code and what it has said."""
        said, _ = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, said

    def kill_node(self, number: int) -> None:
        """Kill all processes of a node at once, as a machine that loses its power."""
        self._first(number).kill()

    def has_trial(self, number: int) -> bool:
        """Check whether a process of a trial is on a node."""
        try:
            processes = self._first(number).children(recursive=True)
            return any("Trainable" in " ".join(process.cmdline()) for process in processes)
        except (psutil.NoSuchProcess, ValueError):  # the lab is being started, or has ended
            return False

    def _first(self, number: int) -> psutil.Process:
        """Find the first process of a node, with which all others of it end."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        roots = [each for each in family if each.name() == "unshare" and each.cmdline()[-2:] == ["node", str(number)]]
        (root,) = roots
        (first,) = root.children()
        return first


@contextmanager
def node_lab(
    driver: Sequence[str],
    *,
    nodes: int = 2,
    cpus: int = 1,
    head_cpus: int = 1,
    ipv6: bool = False,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[NodeLab]:
    """Start nodes and a command in the first of them; all processes are gone when the block has ended.

    Args:
        driver: command; `HEAD` in it stands for the address of the head.
        nodes: number of them, the head included.
        cpus: of each node but the head.
        head_cpus: of the head.
        ipv6: whether Ray uses addresses of IPv6.
        environment: variables beside those of this process.
    """
    folder = Path(tempfile.mkdtemp(prefix="n", dir="/tmp"))  # sockets need short paths
    prefix = "fd77::" if ipv6 else "10.77.0."
    head = f"[{prefix}1]:{PORT}" if ipv6 else f"{prefix}1:{PORT}"
    (folder / "home").mkdir()
    variables = {
        "HOME": str(folder / "home"),  # without a token of clusters of the user's own
        "NODES": str(nodes),
        "NODE": NODE,
        "FOLDER": str(folder),
        "HEAD": head,
        "HEAD_CPUS": str(head_cpus),
        "CPUS": str(cpus),
        "PREFIX": prefix,
        "PORT": str(PORT),
        "RAY": shlex.join([sys.executable, str(Path(sys.executable).parent / "ray")]),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "300",
    }
    command = [*UNSHARED, "sh", "-c", LAB, "lab", *(word.replace("HEAD", head) for word in driver)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **variables, **environment},
    )
    try:
        yield NodeLab(process, folder)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
