"""A batch script goes on when all nodes are there, and ends with a sentence when they do not come."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from ray.exceptions import GetTimeoutError, RayError, RaySystemError, RpcError

from cluster.wait_for_nodes import main, nodes_alive, wait_for_nodes
from search_spaces.errors import InputError


class _Clock:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


def _joining(counts: list[int]) -> Iterator[int]:
    yield from counts
    while True:
        yield counts[-1]


def test_the_wait_ends_with_the_last_node() -> None:
    clock, counts = _Clock(), _joining([0, 0, 1, 3, 4])
    wait_for_nodes(4, lambda: next(counts), place="h:1", patience_s=60, sleep=clock.sleep, now=clock.now)
    assert clock.seconds == 8.0


def test_nodes_that_do_not_come_are_counted_in_the_error() -> None:
    clock, counts = _Clock(), _joining([0, 3])
    with pytest.raises(InputError, match="h:1: must have 4 nodes after 60 s, but has 3"):
        wait_for_nodes(4, lambda: next(counts), place="h:1", patience_s=60, sleep=clock.sleep, now=clock.now)


def test_a_head_that_does_not_answer_has_no_nodes() -> None:
    assert nodes_alive("127.0.0.1:1") == 0


@pytest.mark.parametrize("error", [RpcError("unavailable"), RaySystemError("down"), GetTimeoutError("late")])
def test_a_head_that_fails_to_list_its_nodes_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: RayError
) -> None:
    answers = iter([error, [SimpleNamespace(state=0), SimpleNamespace(state=1), SimpleNamespace(state=0)]])

    def answer(_: str) -> list[SimpleNamespace]:
        if isinstance(given := next(answers), RayError):
            raise given
        return given

    monkeypatch.setattr("cluster.wait_for_nodes.ask_head", lambda *_: None)
    monkeypatch.setattr("cluster.wait_for_nodes.list_nodes", answer)
    clock = _Clock()
    wait_for_nodes(2, lambda: nodes_alive("h:1"), place="h:1", patience_s=60, sleep=clock.sleep, now=clock.now)
    assert "h:1 did not list its nodes" in capsys.readouterr().err


def test_the_command_ends_with_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cluster.wait_for_nodes.wait_for_nodes", _refuse)
    assert main(["127.0.0.1:1", "2", "--within", "900"]) == 2
    assert capsys.readouterr().err == "127.0.0.1:1: must have 2 nodes after 900 s\n"


def _refuse(count: int, *_: object, place: str, patience_s: float) -> None:
    raise InputError(f"must have {count} nodes after {patience_s:.0f} s", place=place)
