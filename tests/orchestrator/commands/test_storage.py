"""`ablate gc` shows what and how much before it frees anything, and says what it could not free."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.exit_codes import EXIT_STOPPED
from search_spaces.errors import InputError
from tests.support.several_studies import checkpoint, declare, finish
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A storage of two studies with one checkpoint too many."""
    (tmp_path / "storage").mkdir()
    store = LocalStore(tmp_path / "storage")
    for name, steps in (("a", (4, 6)), ("b", (6, 8))):
        finish(store, declare(store, name, steps).plan)
    checkpoint(store, left_key(store))
    return store


def left_key(store: LocalStore) -> str:
    """Return the key of the stage whose checkpoint was left."""
    return store.folders("stages")[0]


def gc(store: LocalStore, *options: str, code: int = 0, answer: str | None = None) -> str:
    done = CliRunner().invoke(app, ["gc", "--storage", str(store.root), "--grace", "0", *options], input=answer)
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_nothing_is_removed_before_somebody_agrees(store: LocalStore) -> None:
    before = store.list("")
    for options in ((), ("--dry-run",), ("--dry-run", "--yes"), ("--json",)):
        text = gc(store, *options)
        assert "step checkpoints of finished stages" in text or '"checkpoints"' in text
        assert store.list("") == before
    assert "--yes frees it" in gc(store)


def test_yes_frees_what_was_shown_and_then_nothing_is_left(store: LocalStore) -> None:
    assert "Freed 102 B in 1 place." in gc(store, "--yes")
    assert not store.exists(layout.checkpoints(left_key(store)))
    assert "Nothing can be freed." in gc(store, "--yes")


def test_a_question_is_asked_on_a_terminal(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.commands.storage.can_ask", lambda: True)
    assert "Nothing was removed." in gc(store, answer="n\n")
    assert "Free 102 B? [y/N]" in gc(store, answer="n\n")
    assert "Freed 102 B" in gc(store, answer="y\n")


def test_json_has_every_class_and_every_item(store: LocalStore) -> None:
    document = json.loads(gc(store, "--json", "--yes"))
    assert document["freeable_bytes"] == document["freed_bytes"] == 102
    assert document["freed"] == [layout.checkpoints(left_key(store))]
    assert document["classes"]["weights"]["files"] == len(store.folders("stages"))
    assert document["freeable"][0]["studies"] == ["a", "b"]


def test_what_another_process_holds_is_named_and_the_exit_code_tells(store: LocalStore) -> None:
    key = left_key(store)
    assert store.lease(key, Owner.here())
    text = gc(store, "--yes", code=EXIT_STOPPED)
    assert f"kept {layout.checkpoints(key)}: another process holds its lease" in text
    assert store.exists(layout.checkpoints(key))


def test_a_removed_arm_is_shown_with_its_price_and_freed_when_asked(store: LocalStore) -> None:
    declare(store, "a", (4,))
    assert "removed arms" not in gc(store)
    shown = gc(store, "--gone", "--dry-run")
    assert re.search(r"trials of removed arms +a +1 ", shown)
    gc(store, "--gone", "--yes")
    assert len(store.folders(layout.trials("a"))) == 1


@pytest.mark.parametrize(
    ("options", "law"),
    [
        (("--redoable", "feature"), "must be some of features, data"),
        (("--keep", "c"), "must be a study of this storage"),
    ],
)
def test_options_that_mean_nothing_are_refused(store: LocalStore, options: tuple[str, ...], law: str) -> None:
    with pytest.raises(InputError, match=law):
        gc(store, *options)


def test_a_storage_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a folder, but nothing is there"):
        gc(LocalStore(tmp_path / "no"))


def test_folders_beside_the_studies_that_are_none_are_passed_over_and_listed_as_unknown(store: LocalStore) -> None:
    for folder in ("studies/.ipynb_checkpoints", "studies/a copy", "studies/a/trials/.ipynb_checkpoints"):
        for name in ("study.yaml", "plan.json", "task.json", "result.json"):
            store.put(f"{folder}/{name}", b"{")
    store.put("studies/a copy/trials/t/result.json", b"{")
    unknown = 3 * 4 + 1
    before = json.loads(gc(store, "--json", "--dry-run"))
    assert len(before["unknown"]) == unknown
    assert before["freed"] == []
    verified = CliRunner().invoke(app, ["verify", "--storage", str(store.root), "--quick", "--json"])
    assert verified.exception is None
    assert len(json.loads(verified.output)["unknown"]) == unknown
    listed = CliRunner().invoke(app, ["studies", "--storage", str(store.root), "--json"])
    assert listed.exception is None
    assert [study["study"] for study in json.loads(listed.output)["studies"]] == ["a", "b"]
    gc(store, "--yes")
    assert store.exists("studies/a copy/trials/t/result.json")
