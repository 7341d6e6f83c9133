"""Run functions that work on the same files in a chosen order of their file operations, one operation at a time.

Python reports every operation on a file system to audit hooks before it happens. A hook that waits there for its turn
makes threads interleave exactly as a seed says, without touching what is tested. Hooks cannot be removed: run this in a
process of its own.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Sequence

OPERATIONS = {
    "open",
    "os.link",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "os.utime",
}


class _Actor(threading.Thread):
    def __init__(self, work: Callable[[], None]):
        super().__init__(daemon=True)
        self._work = work
        self._turn, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self.error: BaseException | None = None
        self.is_done = False

    def run(self) -> None:
        self.pause(before_start=True)
        try:
            self._work()
        except BaseException as error:
            self.error = error
        self.is_done = True
        self._paused.release()

    def pause(self, before_start: bool = False) -> None:
        """Called by the actor's own thread: let others go first."""
        if not before_start:
            self._paused.release()
        self._turn.acquire()

    def step(self) -> None:
        """Called by the scheduler: let the actor go on to its next operation, or to its end."""
        self._turn.release()
        self._paused.acquire()


def _hook(event: str, args: tuple[object, ...]) -> None:
    if event in OPERATIONS:
        thread = threading.current_thread()
        if isinstance(thread, _Actor) and not thread.is_done:
            thread.pause()


def watch_operations() -> None:
    """Install the hook; call it once in a process."""
    sys.addaudithook(_hook)


def interleave(actors: Sequence[Callable[[], None]], seed: int) -> None:
    """Run all actors to their ends, in an order of operations that `seed` determines.

    Half of the seeds change the actor at every step with equal chances; the others let one run on for long, which
    reaches the orders in which one is done while another stands still in the middle.

    Raises:
        BaseException: the first that an actor raised.
    """
    choose = random.Random(seed)
    stays = 0.0 if seed % 2 else 0.8
    running = [_Actor(actor) for actor in actors]
    for actor in running:
        actor.start()
    current = choose.choice(running)
    while waiting := [actor for actor in running if not actor.is_done]:
        if current.is_done or choose.random() >= stays:
            current = choose.choice(waiting)
        current.step()
        if current.error is not None:
            raise current.error
