"""Files of answers over benchmark x form x file x encoding x damage: the same answers, joined right, or refused."""

from __future__ import annotations

import copy
import gzip
import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support import official_files
from tests.support.answer_forms import FILES, TABLES, forms_of, records_of
from tests.support.broken_inputs import tries
from tests.support.json_files import write_json_lines
from tests.support.official_files.gqa import gqa_question
from trainables.benchmarks.answers.records import read_records
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.predictions import Predictions, check_ids, read_predictions
from trainables.benchmarks.registry import BENCHMARKS

SETS = ("vqav2", "gqa", "vizwiz", "textvqa", "refcoco", "pope", "tallyqa", "ai2d", "vsr", "ocidref")
THINGS = ("dog", "cat", "bus", "snowboard", "chair", "person")


def _write(name: str, folder: Path) -> None:
    """Write small official files; of POPE such as its questions tell apart."""
    match name:
        case "pope":
            for shift, split in enumerate(("random", "popular", "adversarial")):
                rows = [
                    {
                        "question_id": n + 1,
                        "image": f"COCO_val2014_{n // 2:012d}.jpg",
                        "text": f"Is there a {THINGS[(n + shift) % len(THINGS)]} in the image?",
                        "label": "yes" if n % 2 else "no",
                    }
                    for n in range(4)
                ]
                write_json_lines(folder / f"coco_pope_{split}.json", rows)
        case "gqa":
            questions = {f"0{n}93": {**gqa_question("yes", f"n{n}"), "question": f"Is it {n}?"} for n in range(4)}
            (folder / "testdev_balanced_questions.json").write_text(json.dumps(questions))
        case _:
            official_files.WRITERS[name](folder)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    read = {}
    for name in SETS:
        folder = tmp_path_factory.mktemp(name)
        _write(name, folder)
        read[name] = BENCHMARKS[name].examples(find_files(name, BENCHMARKS[name].files, [folder]))
    return read


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12)
ANSWERS = st.one_of(
    st.sampled_from(
        ["Yes", " no", "2", "red, white", 'a "b"', "it's; two", "10:30", "true", "0.5", "#3", "-", "NA", "a\tb"]
    ),
    WORDS,
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])


def write_file(folder: Path, rows: list[dict[str, Any]], kind: str, encoding: str, ends: str, packed: bool) -> Path:
    text = FILES[kind](rows).replace("\n", ends)
    data = text.encode(encoding)
    path = folder / "answers.txt"
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def drawn_rows(
    data: st.DataObject, sets: dict[str, list[Example]]
) -> tuple[list[Example], str, str, Any, dict[str, str]]:
    name = data.draw(st.sampled_from(SETS))
    examples, form = sets[name], data.draw(st.sampled_from(forms_of(name)))
    answers = {example.id: data.draw(ANSWERS) for example in examples}
    rows = records_of(form, examples, answers)
    nested = any(isinstance(value, list | dict) for row in rows for value in row.values())
    kind = data.draw(st.sampled_from([kind for kind in FILES if not (nested and kind in TABLES)]))
    return examples, form, kind, rows, answers


def texts(predictions: Predictions) -> dict[str, str | None]:
    return {name: one.text for name, one in predictions.by_id.items()}


@tries("predictions", few=120)
@given(data=st.data(), encoding=ENCODINGS, ends=st.sampled_from(["\n", "\r\n"]), packed=st.booleans())
def test_every_form_of_every_benchmark_has_the_answers_of_the_plain_one(
    tmp_path: Path, sets: dict[str, list[Example]], data: st.DataObject, encoding: str, ends: str, packed: bool
) -> None:
    examples, _, kind, rows, answers = drawn_rows(data, sets)
    path = write_file(tmp_path, rows, kind, encoding, ends, packed)
    predictions = read_predictions(path, examples)
    assert texts(predictions) == answers
    check_ids(examples, predictions)


DAMAGES = (
    "missing",
    "again",
    "unknown",
    "shifted",
    "null",
    "object",
    "no answer",
    "cut off",
    "no id",
    "several",
    "bytes",
)
NAMES = ("id", "question_id", "questionId", "image", "sent_id")


@tries("predictions", few=120)
@given(data=st.data(), damage=st.sampled_from(DAMAGES))
def test_damage_is_refused_with_the_place_or_the_id(
    tmp_path: Path, sets: dict[str, list[Example]], data: st.DataObject, damage: str
) -> None:
    examples, form, kind, rows, _ = drawn_rows(data, sets)
    rows = copy.deepcopy(rows)
    at = data.draw(st.integers(0, len(rows) - 1))
    answer = next(key for key in ("prediction", "filtered_resps", "answer", "text") if key in rows[at])
    named = next((key for key in NAMES if key in rows[at]), None)
    if damage in ("null", "object", "no answer", "several") and kind in TABLES:
        damage = "missing"
    joined_by_questions = form == "llava-textvqa" or (form == "llava" and "/" in examples[0].id)
    if damage in ("unknown", "no id") and (named is None or joined_by_questions):
        damage = "again"
    path = tmp_path / "answers.txt"
    match damage:
        case "missing":
            del rows[at]
        case "again":
            rows.append(rows[at])
        case "unknown":
            rows[at][named or ""] = "987654321"
        case "shifted":
            shift_answers(rows, answer)
        case "null":
            rows[at][answer] = None
        case "object":
            rows[at][answer] = {"text": "x"}
        case "no answer":
            del rows[at][answer]
            rows[at].pop("resps", None)
        case "several":
            rows[at][answer] = ["yes", "no"]
        case "no id":
            del rows[at][named or ""]
    if damage in ("missing", "no answer") and not rows:
        return
    write_file(tmp_path, rows, kind, "utf-8", "\n", packed=False)
    if damage == "cut off":
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole.rstrip()) - data.draw(st.integers(1, min(12, len(whole) - 2)))])
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:4] + b"\xff\x00\xfe" + path.read_bytes()[4:])
    different = len({example.question for example in examples}) == len(examples)
    if damage == "shifted" and not (different and form in ("llava", "lmms", "pope") and "/" not in examples[0].id):
        return_or_refuse(path, examples)
        return
    if damage == "cut off" and kind in (*TABLES, "lines"):
        return_or_refuse(path, examples)
        return
    with pytest.raises(InputError, match=r"answers\.txt"):
        check_ids(examples, read_predictions(path, examples))


TWICE = ("prediction", "Prediction", " prediction ", "id", "ID")


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "parquet"])
@pytest.mark.parametrize("at", [0, 2])
def test_a_column_that_is_there_twice_is_refused_by_name(tmp_path: Path, twice: str, kind: str, at: int) -> None:
    names, rows = ["id", "prediction"], [[str(n), "yes"] for n in range(3)]
    names.insert(at, twice)
    for row in rows:
        row.insert(at, "0" if "id" in twice.lower() else "no")
    path = tmp_path / f"answers.{kind}"
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in (names, *rows):
            book.worksheets[0].append(row)
        book.save(path)
    elif kind == "parquet":
        pq.write_table(
            pa.Table.from_arrays([pa.array(column) for column in zip(*rows, strict=True)], names=names), path
        )
    else:
        separator = "," if kind == "csv" else "\t"
        path.write_text("".join(separator.join(row) + "\n" for row in (names, *rows)))
    with pytest.raises(InputError, match=rf"answers\.{kind}.*a column must be there once.*'{twice.strip().lower()}'"):
        read_records(path)


PYTHON_WORDS = re.compile(r"codec|recursion|sys\.|Exceeds|<Buffer>|Traceback|not a zip")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"id": ' + b"9" * 5000 + b', "prediction": "x"}', "too many digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"id": 1, "prediction": "ok"}\n{"id": 2, "prediction": "caf\xe9"}\n', "line 2 has the byte 0xe9"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), r"before 2007 \(\.xls"),
        (b"ARROW1\0\0" + bytes(50), "an Arrow"),
        (b"SQLite format 3\0" + bytes(90), "a SQLite database"),
        (b"\x28\xb5\x2f\xfd" + bytes(90), "compressed with zstd"),
        (b"%PDF-1.4\n", "a PDF"),
        (b"PK\x03\x04" + bytes(90), "a ZIP archive that is cut off or broken"),
    ],
)
def test_what_is_no_file_of_answers_is_named_for_what_it_is(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as raised:
        read_records(path)
    assert not PYTHON_WORDS.search(str(raised.value))


def shift_answers(rows: list[dict[str, Any]], answer: str) -> None:
    """Move every question's text by one: its id, or its place, is another's."""
    holders = [holder for row in rows for holder in (row, row.get("doc")) if isinstance(holder, dict)]
    for key in ("question", "prompt", "input"):
        asking = [holder for holder in holders if key in holder]
        moved = [holder[key] for holder in asking[1:] + asking[:1]]
        for holder, text in zip(asking, moved, strict=True):
            holder[key] = text


def return_or_refuse(path: Path, examples: list[Example]) -> None:
    """Read a file whose damage may leave it whole: ids decide, or it is refused."""
    try:
        predictions = read_predictions(path, examples)
        check_ids(examples, predictions)
    except InputError:
        return
    assert set(predictions.by_id) == {example.id for example in examples}
