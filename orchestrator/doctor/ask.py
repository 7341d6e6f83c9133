"""Ask for facts with a time limit each: file systems, servers and drivers may hang for ever."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter

from orchestrator.doctor.facts import Unanswered
from search_spaces.error_text import named_message


@dataclass
class Question:
    """Call that runs in a thread of its own; one that never returns ends with the process."""

    call: Callable[[], Any]
    answer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.answer = None
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.answer = self.call()
        except Exception as error:  # of file systems, drivers and libraries; it is shown
            self.answer = Unanswered(f"could not be asked: {named_message(error)}")

    def wait(self, within_s: float) -> Any:
        """Return the answer, or that there was none within so many seconds of the question."""
        self._thread.join(max(0.0, self._began + within_s - time.monotonic()))
        if self._thread.is_alive():
            return Unanswered(f"gave no answer within {within_s:g} s")
        return self.answer


Name = TypeVar("Name", bound=str)


def ask_all(
    calls: Mapping[Name, Callable[[], Any]], within_s: float, longer: Mapping[Name, float] | None = None
) -> dict[Name, Any]:
    """Ask several questions at a time.

    Args:
        calls: by name.
        within_s: seconds that each may take.
        longer: other limits, by name.

    Returns:
        What each call returned, or `Unanswered`.
    """
    questions = {name: Question(call) for name, call in calls.items()}
    return {name: question.wait((longer or {}).get(name, within_s)) for name, question in questions.items()}


Answer = TypeVar("Answer")


def ask_apart(call: Callable[[], Answer], kind: type[Answer], within_s: float) -> Answer | Unanswered:
    """Ask in a process of its own, which is left behind where it hangs.

    A process whose thread the kernel does not wake, as some file systems that are away do, cannot end. The caller must
    have no other threads yet.

    Args:
        call: run in the other process.
        kind: of its answer, whose fields are plain values.
        within_s: seconds that it may take.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        _answer(call, kind, writer)
    os.close(writer)
    text = _read(reader, time.monotonic() + within_s)
    os.close(reader)
    if text is None:
        os.kill(process, signal.SIGKILL)
        return Unanswered(f"gave no answer within {within_s:g} s")
    os.waitpid(process, 0)
    return _answers(kind).validate_json(text) if text else Unanswered("ended the process that asked it")


def _answer(call: Callable[[], Answer], kind: type[Answer], writer: int) -> NoReturn:
    """Write the answer to a pipe and end this process. Its terminal is let go: who reads it must not wait for it."""
    answer: Answer | Unanswered
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        try:
            answer = call()
        except Exception as error:  # of a file system; it is shown
            answer = Unanswered(f"could not be asked: {named_message(error)}")
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(_answers(kind).dump_json(answer))
    finally:
        os._exit(0)


def _answers(kind: type[Answer]) -> TypeAdapter[Answer | Unanswered]:
    return TypeAdapter(kind | Unanswered)  # type: ignore[arg-type]  # of a variable type


def _read(reader: int, ends: float) -> bytes | None:
    """Read a pipe until it is closed; None if it is not by then."""
    text = b""
    while select.select([reader], [], [], max(0.0, ends - time.monotonic()))[0]:
        piece = os.read(reader, 1 << 16)
        if not piece:
            return text
        text += piece
    return None
