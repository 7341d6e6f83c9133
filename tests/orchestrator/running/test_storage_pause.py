"""Claims about orchestrator/running/storage_pause.py."""

from __future__ import annotations

import errno
import math

import pytest

from orchestrator.running.storage_pause import StoragePause


class Storage:
    """A storage that is in trouble or not, a clock, and what people were told."""

    def __init__(self, patience_s: float = math.inf):
        self.trouble: str | None = None
        self.now = 0.0
        self.told: list[str] = []
        self.looks = 0
        self.pause = StoragePause(self._look, self.told.append, patience_s, lambda: self.now)

    def _look(self) -> str | None:
        self.looks += 1
        return self.trouble


def test_look_well_storage_is_no_pause() -> None:
    storage = Storage()
    assert storage.pause.look() is None
    assert (storage.pause.is_on, storage.told) == (False, [])


def test_look_trouble_begins_one_pause_that_ends_by_itself() -> None:
    storage = Storage()
    storage.trouble = "no space is left at /s"
    for _ in range(3):
        assert storage.pause.look() == storage.trouble
    storage.now = 60
    storage.pause.look_again()
    assert storage.pause.is_on
    storage.trouble, storage.now = None, 120
    storage.pause.look_again()
    assert (storage.pause.is_on, storage.pause.given_up) == (False, None)
    assert storage.told == [
        "PAUSED: no space is left at /s. Nothing is started until it is mended, and what fails by it is not counted.",
        "storage can be written to again, after 2 min: going on",
    ]


def test_was_on_since_is_true_from_the_first_trouble_until_the_moments_after_its_end() -> None:
    storage = Storage()
    assert not storage.pause.was_on_since(-10)
    storage.trouble, storage.now = "/s is away", 10
    storage.pause.look()
    assert storage.pause.was_on_since(20)
    storage.trouble, storage.now = None, 40
    assert storage.pause.look() is None
    assert storage.pause.was_on_since(41)  # nobody has said that it is over
    storage.pause.look_again()
    assert [storage.pause.was_on_since(moment) for moment in (9, 39, 40, 41)] == [True, True, True, False]


def test_look_again_after_the_patience_the_run_is_given_up_for_good() -> None:
    storage = Storage(patience_s=60)
    storage.trouble = "/s is away"
    storage.pause.look()
    storage.now = 59
    storage.pause.look_again()
    assert storage.pause.given_up is None
    storage.now = 61
    storage.pause.look_again()
    assert storage.pause.given_up == "/s is away"
    storage.trouble = None
    storage.pause.look_again()
    assert storage.pause.given_up == "/s is away"
    assert "after 60 s the run stops" in storage.told[0]


def test_look_without_any_patience_gives_up_at_once_and_announces_no_pause() -> None:
    storage = Storage(patience_s=0)
    storage.trouble = "/s is away"
    storage.pause.look()
    assert (storage.pause.given_up, storage.told) == ("/s is away", [])


@pytest.mark.parametrize("seconds", [0, 3600])
def test_look_again_outside_of_a_pause_looks_at_nothing(seconds: float) -> None:
    storage = Storage(patience_s=60)
    storage.trouble, storage.now = "/s is away", seconds
    storage.pause.look_again()
    assert (storage.pause.is_on, storage.pause.given_up, storage.told) == (False, None, [])


def test_look_again_that_fails_itself_is_trouble_and_the_patience_ends() -> None:
    def fail() -> str | None:
        raise OSError(errno.ESTALE, "Stale file handle", "/s/studies")

    now = [0.0]
    pause = StoragePause(fail, [].append, 60, lambda: now[0])
    assert pause.look(lambda: None) is None
    assert "Stale file handle" in (pause.look(fail) or "")
    assert (pause.is_on, pause.given_up) == (True, None)
    now[0] = 61
    pause.look_again()
    assert "/s/studies" in (pause.given_up or "")


def test_look_again_looks_ever_more_rarely_and_notices_within_a_minute() -> None:
    storage = Storage()
    storage.trouble = "no space is left at /s"
    storage.pause.look()
    for storage.now in range(0, 3600, 5):
        storage.pause.look_again()
    assert storage.looks < 100, "not 720 times an hour"
    storage.trouble = None
    for storage.now in range(3600, 3665, 5):
        storage.pause.look_again()
    assert not storage.pause.is_on
