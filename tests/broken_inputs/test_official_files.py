"""Official files of every benchmark, spoiled anywhere: examples that can be scored, or refused by name."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support.broken_inputs import tries
from tests.support.official_files import WRITERS
from tests.support.spoiled_json import spoiled, spoiled_bytes
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scoring import score_example


def spoiled_file(data: st.DataObject, file: Path) -> bytes:
    """Spoil a file as bytes, or the value that it holds."""
    content = file.read_bytes()
    if data.draw(st.booleans()):
        return data.draw(spoiled_bytes(content))
    if file.suffix == ".p":
        return pickle.dumps(data.draw(spoiled(pickle.loads(content))))
    lines = content.splitlines() if file.suffix in (".json", ".jsonl") else []
    if not lines:
        return data.draw(spoiled_bytes(content))
    at = data.draw(st.integers(0, len(lines) - 1))  # JSON is written in one line, POPE's .json are lines, too
    lines[at] = json.dumps(data.draw(spoiled(json.loads(lines[at])))).encode()
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
@tries("official files", few=40)
@given(data=st.data())
def test_spoiled_official_files_are_examples_or_refused_by_name_and_nothing_is_left(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("official")
    WRITERS[name](folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = data.draw(st.sampled_from(files))
    file.write_bytes(spoiled_file(data, file))
    benchmark = BENCHMARKS[name]
    refused = None
    try:
        examples = benchmark.examples(find_files(name, benchmark.files, [folder]))
    except InputError as error:
        refused, examples = str(error), []
    for protocol in benchmark.protocols.values():
        rows = [score_example(protocol, example, "yes") for example in examples]
        assert all(0.0 <= row.score <= 1.0 for row in rows)
        protocol.summarise(rows)
    assert refused is None or any(word in refused for word in (str(folder), name))
    assert sorted(file for file in folder.rglob("*") if file.is_file()) == files


FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]|\\.)*")\s*:')


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
@tries("official files", few=15)
@given(data=st.data())
def test_a_key_that_is_there_twice_is_refused_wherever_it_is(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("twice")
    WRITERS[name](folder)
    benchmark = BENCHMARKS[name]
    wanted = [file for file in sorted(folder.rglob("*.json*")) if FIRST_KEY.search(file.read_text())]
    file = data.draw(st.sampled_from(wanted))
    text = file.read_text()
    found = data.draw(st.sampled_from(list(FIRST_KEY.finditer(text))))
    file.write_text(f"{text[: found.start() + 1]}{found[1]}: 0, {text[found.start() + 1 :]}")
    with pytest.raises(InputError, match=f"the key {re.escape(repr(json.loads(found[1])))} is there twice"):
        benchmark.examples(find_files(name, benchmark.files, [folder]))


def test_a_question_id_with_two_questions_is_refused(tmp_path: Path) -> None:
    WRITERS["vqav2"](tmp_path)
    file = next(file for file in tmp_path.rglob("*uestions*.json"))
    value = json.loads(file.read_text())
    value["questions"].append({**value["questions"][0], "question": "Another one?"})
    file.write_text(json.dumps(value))
    with pytest.raises(InputError, match="every question must have an id of its own, but 1 are those of two"):
        BENCHMARKS["vqav2"].examples(find_files("vqav2", BENCHMARKS["vqav2"].files, [tmp_path]))
