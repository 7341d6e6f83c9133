"""Claims about the records of a user's own sets: read as they are plainly meant, or refused by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.sets.families import FAMILIES

BASE = {"id": 7, "image": "a.png", "question": "What is it?"}


def read(family: str, folder: Path, *records: Any) -> list[Example]:
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return FAMILIES[family].examples(find_files(family, (), [file]))


@pytest.mark.parametrize(
    ("family", "fields", "reference"),
    [
        ("exact", {"answer": "red"}, "red"),
        ("exact", {"answer": ["red"]}, "red"),
        ("exact", {"answer": "A"}, "A"),
        ("exact", {"answer": 3}, "3"),
        ("exact", {"answer": 3.0}, "3"),
        ("exact", {"answer": 2.5}, "2.5"),
        ("vqa", {"answers": ["red", {"answer": "blue"}, 3]}, ["red", "blue", "3"]),
        ("vqa", {"answers": "red"}, ["red"]),
        ("vqa", {"answer": "red"}, ["red"]),
        ("yes-no", {"answer": "Yes."}, "yes"),
        ("yes-no", {"answer": False}, "no"),
        ("counting", {"answer": "12"}, 12),
        ("counting", {"answer": 4.0}, 4),
        ("multiple-choice", {"options": ["fox", "cow"], "answer": "cow"}, 1),
        ("multiple-choice", {"options": ["fox", "cow"], "answer": "Cow"}, 1),
        ("multiple-choice", {"options": ["fox", "cow"], "answer": 1}, 1),
        ("multiple-choice", {"options": ["fox", "cow"], "answer": "B"}, 1),
        ("multiple-choice", {"options": ["fox", "cow"], "answer": "(B)"}, 1),
        ("multiple-choice", {"options": {"A": "fox", "B": "cow"}, "answer": "B"}, 1),
        ("multiple-choice", {"options": [2, 3, 4], "answer": 4}, 2),
    ],
)
def test_answers_are_read_as_people_write_them(
    family: str, fields: dict[str, Any], reference: Any, tmp_path: Path
) -> None:
    (example,) = read(family, tmp_path, {**BASE, **fields})
    assert example.reference == reference


@pytest.mark.parametrize(
    ("family", "fields", "key", "what"),
    [
        ("exact", {"answer": None}, "answer", "null"),
        ("exact", {"answer": True}, "answer", "in quotes"),
        ("exact", {"answer": ["red", "blue"]}, "answer", "family vqa"),
        ("exact", {"answers": ["red"]}, "answer", "family vqa"),
        ("exact", {"answer": " "}, "answer", "empty"),
        ("exact", {"anwser": "red"}, "answer", "Did you mean 'anwser'"),
        ("vqa", {"answers": []}, "answers", "at least one"),
        ("vqa", {"answers": ["red", None]}, "answers", "null"),
        ("vqa", {"answers": [["red"]]}, "answers", "a list"),
        ("yes-no", {"answer": "maybe"}, "answer", "yes or no"),
        ("yes-no", {"answer": 1}, "answer", "yes or no"),
        ("counting", {"answer": -1}, "answer", "from 0 on"),
        ("counting", {"answer": "three"}, "answer", "whole number"),
        ("counting", {"answer": True}, "answer", "whole number"),
        ("multiple-choice", {"options": ["1", "2", "3"], "answer": 1}, "answer", "names '1' and '2'"),
        ("multiple-choice", {"options": ["fox", "A"], "answer": "A"}, "answer", "names 'fox' and 'A'"),
        ("multiple-choice", {"options": ["fox", "cow"], "answer": 2}, "answer", "from 0"),
        ("multiple-choice", {"options": ["fox", "fox"], "answer": 0}, "options", "differ"),
        ("multiple-choice", {"options": ["fox"], "answer": 0}, "options", "at least two"),
        ("multiple-choice", {"options": ["fox", ""], "answer": 0}, "options", "empty"),
        ("multiple-choice", {"choices": ["fox", "cow"], "answer": 0}, "options", "choices"),
        ("grounding", {"box": [2, 2, 1, 1], "size": [9, 9]}, "box", "x + width"),
        ("grounding", {"box": [1, 1, 5, 12], "size": [9, 9]}, "box", "inside of 9 x 9"),
        ("grounding", {"box": [0.1, 0.1, 0.5, 0.5], "size": [9, 9]}, "box", "fractions"),
        ("exact", {"answer": "red", "question": " "}, "question", "empty"),
        ("exact", {"answer": "red", "question": "Is <image> it?"}, "question", "at its start or end"),
        ("exact", {"answer": "red", "image": ["a.png", "b.png"]}, "image", "one picture"),
        ("exact", {"answer": "red", "image": ""}, "image", "empty"),
        ("exact", {"answer": "red", "image": {"path": "a.png"}}, "image", "path of one picture"),
    ],
)
def test_what_has_no_one_meaning_is_refused_by_line_and_field(
    family: str, fields: dict[str, Any], key: str, what: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=what.replace("+", r"\+")) as refused:
        read(family, tmp_path, {**BASE, **fields})
    assert (refused.value.place, refused.value.key) == (f"{tmp_path}/mine.jsonl:1", key)


def test_a_field_that_would_hold_the_picture_is_not_passed_over(tmp_path: Path) -> None:
    bare = {"id": 1, "question": "What is 1 + 1?", "answer": "2"}
    assert read("exact", tmp_path, bare)[0].image is None
    assert read("exact", tmp_path, {**bare, "image": None})[0].image is None
    with pytest.raises(InputError, match="'img' instead"):
        read("exact", tmp_path, {**bare, "img": "a.png"})


def test_a_placeholder_at_the_start_or_end_of_a_question_is_its_image(tmp_path: Path) -> None:
    for question in ("<image>\nWhat is it?", "What is it?\n<image>"):
        assert read("exact", tmp_path, {**BASE, "question": question, "answer": "a dog"})[0].question == "What is it?"
    with pytest.raises(InputError, match="at its start"):
        read("exact", tmp_path, {**BASE, "image": None, "question": "<image>\nWhat?", "answer": "a dog"})


def test_ids_that_are_there_twice_are_named_with_both_lines(tmp_path: Path) -> None:
    record = {**BASE, "answer": "red"}
    with pytest.raises(InputError, match="'7' is that of line 1, too") as refused:
        read("exact", tmp_path, record, {**record, "id": 8}, record)
    assert refused.value.place == f"{tmp_path}/mine.jsonl:3"


def test_all_lines_that_cannot_be_read_are_named_the_first_twenty_in_full(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read("exact", tmp_path, *({**BASE, "id": number, "answer": None} for number in range(30)))
    assert f"{tmp_path}/mine.jsonl:20" in str(refused.value)
    assert "10 more records" in str(refused.value)


def test_a_split_that_no_set_of_ones_own_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps({**BASE, "answer": "red"}))
    benchmark = FAMILIES["exact"]
    with pytest.raises(InputError, match="has no splits"):
        benchmark.examples(find_files("exact", (), [tmp_path / "mine.jsonl"]), "test")
