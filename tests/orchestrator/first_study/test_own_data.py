"""Training data and a test set are read whole, and what a study must know of them is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.first_study.own_data import OwnData, family_of, read_own_data, training_source
from search_spaces.errors import InputError
from tests.support.own_sets import pictures, questions, write_lines, write_training
from trainables.data.pace import Pace

SHORT = "\nAnswer the question using a single word or phrase."


def write(folder: Path, suffix: str = "", images: str = "images") -> None:
    drawn = pictures(folder / images, 12)
    write_training(folder / "train.json", drawn[:8], suffix)
    write_lines(folder / "test.jsonl", questions(drawn[8:]))


def read(folder: Path, images: Path | None = None) -> OwnData:
    source = training_source("mine-train", folder / "train.json", "llava", images)
    return read_own_data(source, folder / "test.jsonl", images, None, lambda name: Pace(name, print))


def test_both_files_are_counted(tmp_path: Path) -> None:
    write(tmp_path)
    data = read(tmp_path)
    assert (data.training_counts.records, data.training_counts.images) == (16, 8)
    assert (data.test_counts.records, data.test_counts.images, data.answers) == (8, 4, 5)
    assert (data.shared_images, data.side_px, data.family, data.protocol) == (0, 64, "exact", "plain")
    assert (data.training.name, data.test.name) == ("mine-train", "mine-test")


def test_an_image_that_is_in_both_is_told_by_its_bytes(tmp_path: Path) -> None:
    write(tmp_path)
    shutil.copy(tmp_path / "images" / "0.png", tmp_path / "images" / "9.png")
    assert read(tmp_path).shared_images == 1


@pytest.mark.parametrize(("suffix", "protocol"), [("", "plain"), (SHORT, "official")])
def test_questions_are_asked_as_in_training(tmp_path: Path, suffix: str, protocol: str) -> None:
    write(tmp_path, suffix)
    data = read(tmp_path)
    assert (data.protocol, data.unlike_training) == (protocol, ())


def test_an_instruction_that_no_protocol_has_is_told(tmp_path: Path) -> None:
    write(tmp_path, "\nBe brief, please.")
    data = read(tmp_path)
    assert data.protocol == "plain"
    (sentence,) = data.unlike_training
    assert "Be brief, please." in sentence


@pytest.mark.parametrize("images", ["images", "."])
def test_images_are_found_beside_the_files_or_in_a_folder_of_that_name(tmp_path: Path, images: str) -> None:
    write(tmp_path, images=images)
    assert read(tmp_path).training.image_folder == str(tmp_path / images)


def test_one_image_that_lies_elsewhere_does_not_move_the_others(tmp_path: Path) -> None:
    write(tmp_path)
    shutil.copy(tmp_path / "images" / "1.png", tmp_path / "0.png")
    assert read(tmp_path).training.image_folder == str(tmp_path / "images")


def test_a_folder_of_images_is_taken_as_it_is_given(tmp_path: Path) -> None:
    write(tmp_path, images="elsewhere")
    assert read(tmp_path, tmp_path / "elsewhere").test_counts.images == 4


def test_everything_that_is_wrong_in_both_files_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path)
    records = json.loads((tmp_path / "train.json").read_text())
    records[3]["conversations"] = []
    (tmp_path / "train.json").write_text(json.dumps(records))
    (tmp_path / "images" / "2.png").unlink()
    (tmp_path / "images" / "11.png").write_bytes(b"no image")
    with pytest.raises(InputError) as error:
        read(tmp_path)
    said = str(error.value)
    assert "train.json[3]" in said
    assert "'2.png' is missing" in said
    assert "'11.png'" in said
    assert said.count("--images names another folder") == 2


@pytest.mark.parametrize(
    ("records", "family"),
    [
        ([{"answer": "red"}, {"answer": "3"}], "exact"),
        ([{"answer": "Yes"}, {"answer": False}], "yes-no"),
        ([{"answer": 3}, {"answer": "12"}], "counting"),
        ([{"answer": ["red", "crimson"]}], "vqa"),
        ([{"answers": ["red"]}], "vqa"),
        ([{"options": ["fox", "cow"], "answer": "cow"}], "multiple-choice"),
        ([{"box": [0, 0, 1, 1], "size": [9, 9]}], "grounding"),
    ],
)
def test_the_fields_of_a_test_set_tell_how_it_is_scored(
    tmp_path: Path, records: list[dict[str, object]], family: str
) -> None:
    write_lines(tmp_path / "test.jsonl", records)
    assert family_of(tmp_path / "test.jsonl") == family


def test_conversations_as_a_test_set_are_refused_with_the_form_of_a_question(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(InputError, match=r'"answer": "fox"\}\. Conversations, as they are here, are for --train'):
        family_of(tmp_path / "train.json")
