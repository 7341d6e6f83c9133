"""A trial is found by as little as is typed, and its logs are shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from orchestrator.state.logs import StoredTrial, find_trial, last_lines, print_logs, stored_trials
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.store import LocalStore

LONG = "vision-backbone-clip-vit-l-336px-resolution-336px"[:48]
TRIALS = [
    StoredTrial("study", trial)
    for trial in (
        "base-s7-0123456789ab",
        "base-s8-1123456789ab",
        "resolution-32px-s7-2123456789ab",
        "resolution-32px-s70-3123456789ab",
        f"{LONG}-s7-4123456789ab",
    )
]
TRIAL = TRIALS[0]


def write(store: LocalStore, rank: int, text: str, trial: StoredTrial = TRIAL) -> None:
    path = store.root / layout.worker_log(*trial, rank)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


@pytest.mark.parametrize(
    ("query", "seed", "index"),
    [
        ("base-s7-0123456789ab", None, 0),
        ("base-s8", None, 1),
        ("base s8", None, 1),
        ("base", 8, 1),
        ("resolution=32px s7", None, 2),
        ("resolution=32px", 70, 3),
        ("resolution-32px-s70", None, 3),
        ("3123", None, 3),
        ("vision", None, 4),
        ("vision.backbone=clip-vit-l-336px,resolution=336px", 7, 4),
        ("vision.backbone=clip-vit-l-336px,resolution=336px s7", None, 4),
    ],
)
def test_trial_is_found_by(query: str, seed: int | None, index: int) -> None:
    assert find_trial(TRIALS, query, seed) == TRIALS[index]


def test_ambiguous_beginning_is_an_error_that_lists_the_trials() -> None:
    with pytest.raises(InputError, match=r"means 2: base-s7-0123456789ab, base-s8-1123456789ab"):
        find_trial(TRIALS, "base")


def test_one_trial_in_two_studies_is_an_error_that_names_them() -> None:
    with pytest.raises(InputError, match=r"one/base-s7-0123456789ab, two/base-s7-0123456789ab"):
        find_trial([StoredTrial("one", TRIAL.id), StoredTrial("two", TRIAL.id)], TRIAL.id)


def test_unknown_trial_is_an_error_with_the_nearest_id() -> None:
    with pytest.raises(InputError, match="Did you mean 'resolution-32px-s7"):
        find_trial(TRIALS, "resolutoin=32px s7")


def test_seed_that_was_not_run_is_an_error() -> None:
    with pytest.raises(InputError, match="must be a trial's id"):
        find_trial(TRIALS, "base", 9)


def test_storage_without_trials_is_an_error() -> None:
    with pytest.raises(InputError, match="the storage has none"):
        find_trial([], "base")


def test_trials_on_storage_are_found_in_one_study_or_all(store: LocalStore) -> None:
    write(store, 0, "x\n", StoredTrial("one", "a"))
    write(store, 0, "x\n", StoredTrial("two", "b"))
    assert stored_trials(store) == [("one", "a"), ("two", "b")]
    assert stored_trials(store, "two") == [("two", "b")]


def test_log_of_one_worker_is_printed_as_it_is(store: LocalStore) -> None:
    write(store, 0, "first\nlast without newline")
    out = io.StringIO()
    print_logs(store, TRIAL, out)
    assert out.getvalue() == "first\nlast without newline\n"


def test_logs_of_several_workers_say_whose_each_line_is(store: LocalStore) -> None:
    for rank in (0, 2, 10):
        write(store, rank, f"from {rank}\n")
    out = io.StringIO()
    print_logs(store, TRIAL, out)
    assert out.getvalue() == "[rank-0] from 0\n[rank-2] from 2\n[rank-10] from 10\n"


def test_trial_without_a_log_is_an_error(store: LocalStore) -> None:
    with pytest.raises(InputError, match="it has no log"):
        print_logs(store, TRIAL, io.StringIO())


def test_follow_prints_what_is_added_until_the_trial_has_ended(store: LocalStore) -> None:
    out = io.StringIO()
    seen: list[str] = []

    def events() -> None:  # what happens between two looks
        seen.append(out.getvalue())
        match len(seen):
            case 1:
                write(store, 0, "one\nhalf")
            case 2:
                write(store, 0, " a line\n")
            case 3:
                write(store, 0, "the end")
                store.put(layout.trial_result(*TRIAL), b"{}")

    print_logs(store, TRIAL, out, follow=True, wait=events)

    assert seen == ["", "one\n", "one\nhalf a line\n"]
    assert out.getvalue() == "one\nhalf a line\nthe end\n"


def test_last_lines_of_a_huge_log_are_its_last(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.log"
    path.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert last_lines(LocalStore(tmp_path), path.name, 2) == ["line 99998", "line 99999"]
    assert last_lines(LocalStore(tmp_path), "absent.log", 2) == []
