"""A name that becomes part of a path is one part of it on every file system; whatever else is given is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.names import is_slug, slug_of
from search_spaces.study_files import load_study
from tests.support.broken_inputs import tries
from trainables.storage import layout
from trainables.storage.store import LocalStore

HOSTILE = [
    "..", ".", "../../x", "a/../../x", "/etc/passwd", "a/b", "a\\b", "..\\x", "a\0b", "a\nb", "a\n", "\na", ".hidden",
    "-rf", "--help", "con", "NUL", "aux.json", "LPT1.txt", "a" * 300, "", " ", "a b", "a.", "~", "~root", "$HOME", "a*",
    "\u0430dmin", "a\u202eb", "a\u2044b", "\uff0e\uff0e", "caf\u00e9", "cafe\u0301", "a:b", "a|b", "%2e%2e", "a\tb",
]  # fmt: skip
STUDY = """
study: {study}
base:
  vision: {{backbone: efficientnet-lite0, resolution: 64, resize: naive}}
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
benchmarks: {benchmarks}
sources: {sources}
hypotheses: {hypotheses}
"""


def study(tmp_path: Path, **fields: str) -> Path:
    usual = {"study": "fine", "benchmarks": "easy-vqa", "sources": "{}", "hypotheses": "[]"}
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(**usual | fields), encoding="utf-8")
    return file


def quoted(name: str) -> str:
    """Write a name as YAML holds any character."""
    return json.dumps(name).replace("\\u0000", "\\0")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_refused_wherever_a_study_gives_one(tmp_path: Path, name: str) -> None:
    written = quoted(name)
    for fields in (
        {"study": written},
        {"benchmarks": f"[{{id: {written}, source: easy-vqa}}]"},
        {"sources": f"{{{written}: {{reader: easy-vqa}}}}"},
        {"hypotheses": f"[{{id: {written}, claim: c, pairs: [[a, b]], expect: better}}]"},
    ):
        with pytest.raises(InputError, match="a name must") as refused:
            load_study(str(study(tmp_path, **fields)))
        assert next(iter(fields)) in str(refused.value)
        assert len(str(refused.value)) < 600


def test_usual_names_are_taken(tmp_path: Path) -> None:
    load_study(str(study(tmp_path, study="Resize_2.1-b+c")))


@pytest.mark.parametrize("name", [name for name in HOSTILE if not is_slug(name)], ids=ascii)
def test_no_place_on_storage_is_named_after_what_could_lead_elsewhere(tmp_path: Path, name: str) -> None:
    store = LocalStore(tmp_path / "root")
    for place in (
        layout.data_problems, layout.study_folder, layout.stage_folder, layout.claims_folder, layout.scratch,
        lambda name: layout.evaluation_result("key", name), lambda name: layout.trial_folder("study", name),
        lambda name: layout.upload_offset("server", "study", name), lambda name: layout.trial_lease(name, "trial"),
    ):  # fmt: skip
        try:
            path = Path(store.place(place(name)))
        except InputError:
            continue
        assert path.resolve().is_relative_to(store.root.resolve())
        assert len(path.name.encode()) <= 255
        assert not path.name.startswith(".")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a/./b", "a//b", "a\0", ".."])
def test_a_storage_neither_reads_nor_writes_outside_of_its_root(tmp_path: Path, name: str) -> None:
    store = LocalStore(tmp_path / "root")
    (tmp_path / "x").write_text("secret")
    for action in (
        lambda: store.put(name, b""), lambda: store.get(name), lambda: store.remove(name), lambda: store.reading(name),
        lambda: store.list(name), lambda: store.move("a", name), lambda: store.append(name), lambda: store.uri(name),
        lambda: store.lease_owner(name),
    ):  # fmt: skip
        with pytest.raises(InputError, match="must lie below its folder"):
            action()
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "secret"


@tries("texts as names", few=200)
@given(st.text())
def test_a_name_is_made_of_any_text(text: str) -> None:
    assert is_slug(slug_of(text))
    assert slug_of(text) == text or not is_slug(text) or slug_of(text) in text
