"""`ablate verify` names every damaged and every missing file of a storage, says who mends it, and breaks at none."""

from __future__ import annotations

import errno
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.exit_codes import EXIT_DONE, EXIT_TRIAL_FAILED
from orchestrator.planning.encoder_probe import KnownEncoders
from orchestrator.state.added_seeds import AddedSeeds, write_added
from orchestrator.state.claims import store_claims
from orchestrator.storage.stored_records import RECORDS, record_of
from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from tests.support.layout_names import FUNCTIONS, example
from tests.support.several_studies import StoredStudy, declare, finish
from tests.support.stored_studies import fail_trial
from trainables.data.prepare import prepare_source
from trainables.storage import layout
from trainables.storage.file_classes import file_class
from trainables.storage.record_files import write
from trainables.storage.records import Curve
from trainables.storage.store import LocalStore

SHAPES = SourceSpec(
    name="shapes", version="1", reader="generated", options={"records": 40, "seed": 1, "split": "train"}
)


@pytest.fixture
def studies(tmp_path: Path) -> tuple[LocalStore, StoredStudy, StoredStudy]:
    """A storage with two studies that share stages, a prepared source, and a record of every kind."""
    (tmp_path / "storage").mkdir()
    store = LocalStore(tmp_path / "storage")
    first, second = declare(store, "a", (4, 6)), declare(store, "b", (6, 8))
    finish(store, first.plan)
    finish(store, second.plan, second.plan.trials[:1])
    fail_trial(store, second.plan, second.plan.trials[1])
    prepare_source(SHAPES, store, tmp_path)
    write(store, layout.ENCODERS, KnownEncoders({}))
    write(store, layout.stage_curve(store.folders("stages")[0]), Curve(((1, 0.5, 0.1),)))
    write_added(store, "a", AddedSeeds(1.0))
    store_claims([], "a", store)
    (store.root / "tracking").mkdir()
    with closing(sqlite3.connect(store.root / layout.TRACKING_DATABASE)) as connection:
        connection.execute("CREATE TABLE runs (name TEXT)")
        connection.executemany("INSERT INTO runs VALUES (?)", [("x" * 100,)] * 200)
        connection.commit()
    return store, first, second


def verify(store: LocalStore, *options: str, code: int = EXIT_DONE) -> str:
    done = CliRunner().invoke(app, ["verify", "--storage", str(store.root), *options])
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_what_is_whole_is_counted_and_the_exit_code_is_0(studies: tuple[LocalStore, StoredStudy, StoredStudy]) -> None:
    store = studies[0]
    for options in ((), ("--quick",)):
        assert "damaged: 0; missing: 0" in verify(store, *options)
    document = json.loads(verify(store, "--json"))
    artifacts = sum(len(store.folders(kind)) for kind in ("stages", "features", "evaluations", "data", "pictures"))
    assert document["whole"] > artifacts
    assert (document["damaged"], document["missing"], document["unknown"]) == ([], [], [])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"\x93NUMPY\x00\xff\xfe" * (len(content) // 8 + 1),
}
READ = ("results", "weights", "features", "data", "pictures", "evaluations", "studies", "trials")
"""Classes of files of which every one is verified."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_file_is_named_with_a_way_out(
    damage: str, studies: tuple[LocalStore, StoredStudy, StoredStudy]
) -> None:
    store = studies[0]
    names = [name for name in store.list("") if file_class(name) in READ or record_of(name) is not None]
    seen: set[str] = set()
    for name in (*names, layout.TRACKING_DATABASE):
        kind = re.sub(r"[0-9a-f]{16,}|(?<=trials/)[^/]+|(?<=studies/)[^/]+", "*", name)
        if kind in seen:
            continue
        seen.add(kind)
        whole = store.get(name)
        (store.root / name).write_bytes(DAMAGES[damage](whole))
        is_fine = name == layout.TRACKING_DATABASE and damage == "empty"  # a database without tables is made anew
        document = json.loads(verify(store, "--json", code=EXIT_DONE if is_fine else EXIT_TRIAL_FAILED))
        assert is_fine or name in [found["name"] for found in document["damaged"]], kind
        assert all(found["way_out"] and found["problem"] for found in document["damaged"])
        (store.root / name).write_bytes(whole)
    assert len(seen) > 15
    assert "damaged: 0; missing: 0" in verify(store)


@pytest.mark.parametrize("kind", ["weights", "data", "pictures"])
def test_one_changed_byte_is_found_by_content_alone_and_then_known_to_all(
    kind: str, studies: tuple[LocalStore, StoredStudy, StoredStudy]
) -> None:
    store = studies[0]
    name = next(each for each in store.list("") if file_class(each) == kind and not each.endswith(".json"))
    content = bytearray(store.get(name))
    content[-20 if kind == "weights" else len(content) * 6 // 10] ^= 1  # small weights are mostly their header
    (store.root / name).write_bytes(content)
    assert "damaged: 0" in verify(store, "--quick")
    assert f"damaged {store.place(name)}: its content" in verify(store, code=EXIT_TRIAL_FAILED) or kind == "pictures"
    assert name in verify(store, "--quick", code=EXIT_TRIAL_FAILED)


def test_what_a_result_names_and_is_not_there_is_missing(studies: tuple[LocalStore, StoredStudy, StoredStudy]) -> None:
    store, first, _ = studies
    key = first.trial(4, 7).stage_nodes(first.plan)[-1].key or ""
    store.remove(layout.stage_folder(key))
    document = json.loads(verify(store, "--json", code=EXIT_TRIAL_FAILED))
    assert [(found["name"], found["studies"]) for found in document["missing"]] == [(layout.stage_result(key), ["a"])]


def test_of_one_study_only_what_it_refers_to_is_read(studies: tuple[LocalStore, StoredStudy, StoredStudy]) -> None:
    store, first, second = studies
    own = first.trial(4, 7).stage_nodes(first.plan)[-1].key or ""
    (store.root / layout.stage_result(own)).write_bytes(b"")
    assert "damaged: 0" in verify(store, "b")
    text = verify(store, "a", code=EXIT_TRIAL_FAILED)
    assert f"{store.place(layout.stage_result(own))}: it is empty (of a)" in text
    assert verify(store, str(first.file), code=EXIT_TRIAL_FAILED) == text
    with pytest.raises(InputError, match="must be a study of this storage"):
        verify(LocalStore(store.root), str(second.file.with_name("quickstart")).rpartition("/")[2])


def test_files_of_others_are_listed_and_no_damage(studies: tuple[LocalStore, StoredStudy, StoredStudy]) -> None:
    store = studies[0]
    store.put("thesis/chapter.tex", b"x")
    assert "1 file not of this program, such as thesis/chapter.tex" in verify(store)


NO_RECORDS = ("owner_in", "kept_report")
"""JSON files that `ablate verify` does not look at: who works somewhere, and a report that is built again."""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_json_file_that_the_layout_names_is_read_as_a_record_or_with_its_artifact(function: str) -> None:
    name = example(function)
    is_of_artifact = name.split("/")[0] in ("stages", "features", "data", "evaluations") and record_of(name) is None
    if name.endswith(".json") and function not in NO_RECORDS:
        assert is_of_artifact or record_of(name) is not None


def test_every_record_has_a_class() -> None:
    assert [name for name in RECORDS if file_class(name) == "unknown"] == []


def test_an_artifact_that_cannot_be_read_is_named_and_not_marked_as_damaged(
    studies: tuple[LocalStore, StoredStudy, StoredStudy], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = studies[0]
    weights = next(name for name in store.list("stages") if name.endswith(".safetensors"))
    open_file = LocalStore.open

    def fail(self: LocalStore, name: str) -> object:
        if name == weights:
            raise OSError(errno.EIO, "Input/output error", self.place(name))
        return open_file(self, name)

    monkeypatch.setattr(LocalStore, "open", fail)
    done = CliRunner().invoke(app, ["verify", "--storage", str(store.root), "--json"])
    assert done.exit_code == EXIT_TRIAL_FAILED
    (found,) = json.loads(done.output)["damaged"]
    assert "Input/output error" in found["problem"]
    assert not [name for name in store.list("stages") if name == layout.damage_mark(weights.rpartition("/")[0])]
