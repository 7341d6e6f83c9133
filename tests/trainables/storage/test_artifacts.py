"""One door tells of every artifact on storage whether it is whole: at a glance by its shape, in full by its content."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from search_spaces.plan import Node
from search_spaces.spec import PixelSpec, SourceSpec
from tests.support.stored_studies import finish_evaluation, finish_features, finish_stage, key_of
from trainables.data.pictures import Pictures
from trainables.data.prepare import prepare_source
from trainables.storage import layout
from trainables.storage.artifacts import Verified, verify_artifact, verify_stage
from trainables.storage.damages import Damage, DamagedArtifactError, mark_damage, refuse_damaged, set_aside
from trainables.storage.store import Facts, LocalStore

KEY = key_of("artifact")
SHAPES = SourceSpec(name="shapes", version="1", reader="generated", options={"records": 8, "seed": 1, "split": "train"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    store = LocalStore(root)
    finish_stage(store, Node("align", "stage", KEY, "align", 20, None, ("t",)))
    finish_features(store, KEY)
    finish_evaluation(store, KEY, "shape", np.array([0.0, 1.0, 1.0]))
    prepare_source(SHAPES, store, root)
    return root


def _folders(root: Path) -> list[str]:
    return [f"{kind}/{folder.name}" for kind in KINDS for folder in (root / kind).iterdir()]


KINDS = ("data", "evaluations", "features", "pictures", "stages")
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "absent": lambda content: None,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"\x93NUMPY\x00\xff\xfe" * (len(content) // 8 + 1),
    "one bit": lambda content: _flipped(content, 6 * len(content) // 10),
    "one bit at the end": lambda content: _flipped(content, len(content) - 1),
}


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_whole_artifacts_are_whole_at_both_depths(whole: Path) -> None:
    store = LocalStore(whole)
    folders = _folders(whole)
    assert {folder.split("/")[0] for folder in folders} == set(KINDS)
    assert {folder: verify_artifact(store, folder, "shape") for folder in folders} == dict.fromkeys(folders, Verified())
    assert {folder: verify_artifact(store, folder, "content") for folder in folders} == dict.fromkeys(
        folders, Verified()
    )


@pytest.mark.parametrize("way", DAMAGES)
def test_every_binary_file_that_is_damaged_in_any_way_is_named(whole: Path, tmp_path: Path, way: str) -> None:
    files = [path for kind in KINDS for path in (whole / kind).rglob("*") if path.is_file() and path.suffix != ".json"]
    names = [str(path.relative_to(whole)) for path in files if "bit" not in way or "pictures" not in path.parts]
    told = {}
    for name in names:
        root = tmp_path / name.replace("/", "-")
        shutil.copytree(whole, root)
        content = DAMAGES[way]((root / name).read_bytes())
        (root / name).unlink() if content is None else (root / name).write_bytes(content)
        folder = "/".join(name.split("/")[:2])
        told[name] = [found.file for found in verify_artifact(LocalStore(root), folder, "content").damages]
    assert len(names) in (6, 8)
    assert told == {name: [name] for name in names}


@pytest.mark.parametrize("file", ["bytes.arrow", "places.arrow"])
def test_no_flipped_bit_of_pictures_changes_what_is_read_in_silence(whole: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    (digest,) = store.folders("pictures")
    path = tmp_path / "copy" / "pictures" / digest / file
    content = path.read_bytes()
    expected = _pictures(store, digest)
    num_found = 0
    for at in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(_flipped(content, at))
        if verify_artifact(store, f"pictures/{digest}", "content").damages:
            num_found += 1
        else:
            assert _pictures(store, digest) == expected, f"the bit at {at} of {len(content)}"
    assert num_found > 10


def _pictures(store: LocalStore, digest: str) -> list[bytes]:
    pictures = Pictures(store, digest, PixelSpec())
    return [pictures.encoded(row) for row in range(len(pictures))]


def test_a_record_that_is_damaged_is_damage_of_its_artifact(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    for folder in _folders(whole):
        for name in store.list(folder):
            if name.endswith(".json"):
                store.put(name, b"{")
                assert [found.file for found in verify_artifact(store, folder, "shape").damages] == [name]


def test_what_an_earlier_version_did_not_digest_is_named_as_such(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY, digested=False)
    finish_evaluation(store, KEY, "shape", np.array([0.0, 1.0]), digested=False)
    examples = layout.evaluation_examples(KEY, "shape")
    assert verify_artifact(store, f"features/{KEY}", "content") == Verified(unrecorded=(layout.features_array(KEY),))
    assert verify_artifact(store, f"evaluations/{KEY}", "content") == Verified(unrecorded=(examples,))


def test_what_is_not_there_or_not_finished_is_not_damaged(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert all(verify_artifact(store, f"{kind}/{KEY}", "content") == Verified() for kind in KINDS if kind != "pictures")
    with pytest.raises(ValueError, match="must be in stages"):
        verify_artifact(store, "studies/small", "content")


def test_weights_that_nobody_asks_for_are_not_looked_at(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    store.remove(layout.module_weights(layout.stage_folder(KEY), "projector"))
    assert verify_stage(store, KEY, "content", ["language"]) == Verified()
    assert verify_stage(store, KEY, "shape", ["projector"]).damages


def test_damage_that_was_found_by_content_shows_at_a_glance_until_it_is_made_again(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    folder, name = layout.features_folder(KEY), layout.features_array(KEY)
    damage = _seen(store, name, "the content of row 3 is not what was written")
    with pytest.raises(DamagedArtifactError, match="the content of row 3"):
        refuse_damaged(store, folder, damage)
    (found,) = verify_artifact(store, folder, "shape").damages
    assert found.file == name
    assert "row 3" in found.problem
    aside = set_aside(store, folder)
    assert aside is not None
    assert not store.exists(folder)
    assert (tmp_path / "copy" / aside / "features.npy").is_file()
    assert set_aside(store, folder) is None
    finish_features(store, KEY)
    assert verify_artifact(store, folder, "content") == Verified()


def _seen(store: LocalStore, name: str, problem: str) -> Damage:
    return Damage(name, problem, store.place(name), store.facts(name))


def test_a_late_mark_says_nothing_of_what_was_made_again_meanwhile(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY)
    folder, name = layout.features_folder(KEY), layout.features_array(KEY)
    damage = _seen(store, name, "a bit is another")
    kept = store.get(name)
    store.put(name, kept)  # the same bytes again: another file
    mark_damage(store, folder, damage)
    assert verify_artifact(store, folder, "shape") == Verified()
    assert not store.exists(layout.damage_mark(folder))


def test_a_mark_ends_with_the_file_that_it_is_about(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY)
    folder, name = layout.features_folder(KEY), layout.features_array(KEY)
    mark_damage(store, folder, _seen(store, name, "a bit is another"))
    assert verify_artifact(store, folder, "shape").damages
    store.put(name, store.get(name))  # as of a copy that a person has put back
    assert verify_artifact(store, folder, "shape") == Verified()


class _OfAnotherHost(LocalStore):
    """Storage as a client sees it that numbers files otherwise, and knows their times in whole seconds."""

    def facts(self, name: str) -> Facts:
        facts = super().facts(name)
        return Facts(facts.size, float(int(facts.modified)), (facts.content[0] + 1, int(facts.modified) * 10**9))


def test_a_mark_holds_on_hosts_that_see_other_inodes_and_coarser_times_until_the_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, elsewhere = LocalStore(tmp_path), _OfAnotherHost(tmp_path)
    finish_features(store, KEY)
    folder, name = layout.features_folder(KEY), layout.features_array(KEY)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "gethostname", lambda: "node-7")
        mark_damage(store, folder, _seen(store, name, "a bit is another"))
    (damage,) = verify_artifact(elsewhere, folder, "shape").damages
    assert "node-7" in damage.problem
    before = (tmp_path / name).stat().st_mtime
    store.put(name, store.get(name))
    os.utime(tmp_path / name, (before + 1, before + 1))  # nobody makes features again within the second
    assert verify_artifact(elsewhere, folder, "shape") == Verified()


def test_a_mark_ends_with_its_file_though_a_copy_with_the_same_times_is_put_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY)
    folder, name = layout.features_folder(KEY), layout.features_array(KEY)
    mark_damage(store, folder, _seen(store, name, "a bit is another"))
    shutil.copy2(tmp_path / name, tmp_path / "backup")
    (tmp_path / "backup").replace(tmp_path / name)
    assert verify_artifact(store, folder, "shape") == Verified()


def test_what_everyone_sees_at_a_glance_is_not_marked(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY)
    folder, name = layout.features_folder(KEY), layout.features_array(KEY)
    store.remove(name)
    (damage,) = verify_artifact(store, folder, "content").damages
    with pytest.raises(DamagedArtifactError, match="is not there"):
        refuse_damaged(store, folder, damage)
    assert not store.exists(layout.damage_mark(folder))


def test_a_mark_that_is_damaged_itself_is_dropped_with_a_notice(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    folder = layout.stage_folder(KEY)
    mark_damage(store, folder, _seen(store, layout.stage_result(KEY), "y"))
    assert store.exists(layout.damage_mark(folder))
    store.put(layout.damage_mark(folder), b"")
    assert verify_artifact(store, folder, "content") == Verified()
    assert layout.damage_mark(folder) in caplog.text
