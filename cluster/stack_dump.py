"""Dump the Python stacks of a process that does not answer, and say in a line where it is.

The dump is made by a signal handler in C (`faulthandler`), so that it also comes from a process whose Python code
cannot run: one that waits inside a collective, a GPU kernel or a lock. A process that is stopped or waits in the kernel
for a disk takes no signal; it is named with its state instead.
"""

from __future__ import annotations

import faulthandler
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.process import Process, call_on_node

SIGNAL = signal.SIGUSR2
"""Ray Tune and some schedulers use SIGUSR1."""

DUMP_TIMEOUT_S = 30.0
"""For the dumps of all processes together, on whatever nodes they are."""

_WAIT_S = 5.0
_LOOK_EVERY_S = 0.05
_STDERR = 2
_OWN_FOLDERS = ("cluster", "orchestrator", "search_spaces", "trainables")
_WAITS_FOR_RANKS = ("torch/distributed", "deepspeed/comm", "trainables/workers/process_group.py")
"""Folders of collectives, and the file in which ranks wait for each other at their meeting point."""
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')
_THREAD = re.compile(r"^(Current thread|Thread) 0x")
_ROOT = Path(__file__).resolve().parents[1]
_SAID_STATES = {
    psutil.STATUS_STOPPED: "it is stopped (SIGSTOP, or a debugger)",
    psutil.STATUS_TRACING_STOP: "it is stopped by a debugger",
    psutil.STATUS_DISK_SLEEP: "it waits in the kernel, mostly for a disk or a network file system",
    psutil.STATUS_ZOMBIE: "it has ended",
}


@dataclass(frozen=True)
class StackDump:
    """Stacks of a process."""

    text: str = ""
    """As `faulthandler` writes them, all threads; empty if there are none."""
    file: str = ""
    """File on that process's node to which it has written them."""
    problem: str = ""
    """Why there are none, as ``it is stopped``; empty if there are."""

    @property
    def said(self) -> str:
        """Say in a line where the process is: its innermost frame, and the innermost frames of this program."""
        return f"no stack could be had, {self.problem}" if self.problem else f"in {innermost_frames(self.text)}"

    @property
    def waits_for_others(self) -> bool:
        """Whether the process waits for other ranks, in a collective or before it: another rank is the reason."""
        innermost = [frame.file for frame in _frames(self.text)[:1]]
        return any(str(path).endswith(_WAITS_FOR_RANKS) for file in innermost for path in (file, file.parent))


def dump_on_signal() -> None:
    """Let this process write the stacks of all its threads to wherever its stderr goes when it gets the signal."""
    faulthandler.register(SIGNAL, file=_STDERR, all_threads=True, chain=False)


def dump_stacks(process: Process) -> StackDump:
    """Have a process on this node dump its stacks, and read them from where its stderr goes.

    The signal is sent only where a handler waits for it: it would end the process otherwise.
    """
    try:
        running = psutil.Process(process.pid)
        if not process.is_same(running):
            return StackDump(problem="its process is gone")
        state = running.status()
        if state in _SAID_STATES:
            return StackDump(problem=_SAID_STATES[state])
        if not _handles(process.pid):
            return StackDump(problem="it was not ready to dump one")
        stderr = Path(f"/proc/{process.pid}/fd/{_STDERR}")
        file = stderr.resolve()
        if not file.is_file():
            return StackDump(problem="its output goes to no file")
        before = file.stat().st_size
        running.send_signal(SIGNAL)
        text = _appended(file, before)
    except (psutil.NoSuchProcess, FileNotFoundError):
        return StackDump(problem="its process is gone")
    except (psutil.AccessDenied, OSError) as error:
        return StackDump(problem=f"it cannot be read ({error})")
    if not text:
        return StackDump(problem=f"it has not answered the signal, and is {state}", file=str(file))
    return StackDump(text=text, file=str(file))


def dump_in_cluster(processes: Sequence[Process], timeout_s: float = DUMP_TIMEOUT_S) -> list[StackDump]:
    """Have processes on whatever nodes dump their stacks, at the same time.

    Args:
        processes: on nodes of the connected cluster.
        timeout_s: for all of them together.
    """
    import ray

    calls = [call_on_node(dump_stacks, process.node_id, process) for process in processes]
    ready, _ = ray.wait(calls, num_returns=len(calls), timeout=timeout_s) if calls else ([], [])
    return [_fetched(call) if call in ready else StackDump(problem="its node has not answered") for call in calls]


def innermost_frames(text: str) -> str:
    """Say where a process is: the innermost frame of the thread that runs this program, and up to two of its own.

    Args:
        text: as `faulthandler` writes it, the innermost frame of each thread first, the main thread last.
    """
    frames = _frames(text)
    own = [frame for frame in frames[1:] if frame.is_own]
    return ", called by ".join(map(str, [*frames[:1], *own[:2]])) or "no frame of Python"


@dataclass(frozen=True)
class _Frame:
    """A frame of a stack."""

    file: Path
    line: str
    function: str

    @property
    def is_own(self) -> bool:
        """Whether it is of this program."""
        return self.file.is_relative_to(_ROOT) and self.file.relative_to(_ROOT).parts[0] in _OWN_FOLDERS

    def __str__(self) -> str:
        file = self.file.relative_to(_ROOT) if self.is_own else Path(*self.file.parts[-2:])
        return f"{self.function} ({file}:{self.line})"


def _frames(text: str) -> list[_Frame]:
    """List the frames of the thread that runs this program (else of the main thread), the innermost first."""
    threads: list[list[_Frame]] = []
    for line in text.splitlines():
        if _THREAD.match(line):
            threads.append([])
        elif threads and (frame := _FRAME.match(line)):
            threads[-1].append(_Frame(Path(frame["file"]), frame["line"], frame["function"]))
    working = [frames for frames in threads if any(frame.is_own for frame in frames)]
    return (working or [frames for frames in threads if frames] or [[]])[-1]


def _handles(pid: int) -> bool:
    """Check whether a process has a handler for the signal."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (SIGNAL - 1) & 1)


def _appended(file: Path, before: int) -> str:
    """Read what is appended to a file from a position on, once it does not grow any more."""
    deadline, size = time.monotonic() + _WAIT_S, before
    while time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
        grown = file.stat().st_size
        if grown == size > before:
            break
        size = grown
    with file.open("rb") as stream:
        stream.seek(before)
        return stream.read().decode(errors="replace")


def _fetched(call: object) -> StackDump:
    import ray
    from ray.exceptions import RayError

    try:
        dump: StackDump = ray.get(call)
    except RayError as error:
        return StackDump(problem=f"its node cannot be asked ({type(error).__name__})")
    return dump
