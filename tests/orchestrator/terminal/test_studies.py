"""The studies of a storage are one line each, with who runs them and what cannot be read below."""

from __future__ import annotations

from orchestrator.storage.studies import StorageOverview, StudyOverview
from orchestrator.terminal.studies import overview_view
from tests.support.terminal_text import shown
from trainables.storage.records import RunRecord

KILLED = RunRecord("abc", "login1", 7, "ada@login1", 1_700_000_000_000, "ablate run small")
SMALL = StudyOverview(
    study="small",
    state="half-done",
    trials=1200,
    done=7,
    failed=0,
    running=0,
    gone=2,
    runs=(),
    last=KILLED,
    size_bytes=12_300_000_000,
    exclusive_bytes=1_000,
)


def _shown(*studies: StudyOverview) -> str:
    overview = StorageOverview(studies, referred_bytes=12_300_000_000, size_bytes=20_000_000_000)
    return shown(lambda console: console.print(overview_view(overview)))


def test_a_study_is_one_line_and_a_killed_run_is_told() -> None:
    text = _shown(SMALL)
    assert "7 of 1,200" in text
    assert "12.3 GB" in text
    assert "was killed" in text
    assert "2 trials are no longer in it" in text
    assert "12.3 GB belong to studies, what several share counted once, of 20.0 GB on this storage" in text


def test_an_empty_storage_says_so() -> None:
    assert _shown() == "no study has run on this storage\n"
