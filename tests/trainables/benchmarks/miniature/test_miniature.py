"""What holds of the miniature as a whole: it is balanced, the same everywhere, and trains on nothing that it tests."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import Counter
from pathlib import Path

import pytest
from small_miniature import NAMES, SMALL, files_of, folder, of, read_json, read_json_lines

from trainables.benchmarks.miniature.generate import SETS, Size, generate, pages, ready, samples, training
from trainables.benchmarks.miniature.raster import rasterise

GOLDEN = {"json": "", "pixels": ""}
"""Of the default size. They change only together with `VERSION`."""


def test_yes_and_no_true_and_false_are_asked_equally_often() -> None:
    answers = {
        name: Counter(asked.answer.lower() for page in pages(SETS[name], Size()) for asked in page.asked)
        for name in ("vqav2", "gqa", "vsr", "pope")
    }
    for name, (one, other) in {"vqav2": ("yes", "no"), "gqa": ("yes", "no"), "pope": ("yes", "no")}.items() | {
        "vsr": ("true", "false")
    }.items():
        count = answers[name]
        assert abs(count[one] - count[other]) <= 0.02 * (count[one] + count[other])


def test_every_pope_split_affirms_half_of_its_questions() -> None:
    for split in ("random", "popular", "adversarial"):
        labels = Counter(row["label"] for row in read_json_lines(of("pope") / f"coco_pope_{split}.json"))
        assert labels["yes"] == labels["no"]


def test_no_letter_is_the_right_one_much_more_often() -> None:
    correct = Counter(
        question["correctAnswer"]
        for file in (of("ai2d") / "questions").iterdir()
        for question in read_json(file)["questions"].values()
    )
    assert max(correct.values()) < 0.35 * sum(correct.values())


def test_no_scene_of_a_test_set_is_trained_on() -> None:
    shown = {page.scene.things for of in SETS.values() for page in pages(of, SMALL)}
    shown |= {scene.things for scene in samples(SMALL)}
    trained = {lesson.scene.things for lesson in training(SMALL) if lesson.scene is not None}
    assert trained
    assert not shown & trained


def test_training_asks_in_the_words_of_the_test_sets() -> None:
    taught = {word for lesson in training(Size()) for turn in lesson.turns for text in turn for word in text.split()}
    for name in NAMES:
        turns = [SETS[name].turn(asked) for page in pages(SETS[name], SMALL) for asked in page.asked]
        asked = {word for prompt, answer in turns for word in f"{prompt} {answer}".split() if "[" not in answer}
        unread = {word for word in asked if word.isupper() and len(word) < 4}  # misread by the OCR of the test set
        assert asked - taught <= unread


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    generate(SMALL, tmp_path / "again")
    assert dict(files_of(tmp_path / "again")) == dict(files_of(folder()))


def test_every_machine_draws_the_same_pixels_and_writes_the_same_json() -> None:
    """JPEG encoders differ between builds of pillow, so images are compared before they are encoded."""
    texts, pixels = hashlib.sha256(), hashlib.sha256()
    for name, data in files_of(folder()):
        if name.endswith(".p"):
            texts.update(json.dumps(pickle.loads(data)).encode())
        elif not name.endswith((".jpg", ".png")):
            texts.update(data)
    scenes = [page.scene for of in SETS.values() for page in pages(of, SMALL)]
    scenes += [lesson.scene for lesson in training(SMALL) if lesson.scene is not None]
    for scene in scenes:
        pixels.update(rasterise(scene).tobytes())
    assert {"json": texts.hexdigest(), "pixels": pixels.hexdigest()} == GOLDEN


def test_another_seed_draws_other_scenes() -> None:
    (one, other) = (pages(SETS["vqav2"], Size(images=4, seed=seed)) for seed in (7, 8))
    assert not {page.scene for page in one} & {page.scene for page in other}


def test_a_miniature_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    made = ready(SMALL, tmp_path)
    marker = made / "mini-train.json"
    before = marker.stat().st_mtime_ns
    assert ready(SMALL, tmp_path) == made
    assert marker.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", NAMES)
def test_a_set_asks_a_hundred_questions_or_more_about_its_images(name: str) -> None:
    assert 96 <= sum(len(page.asked) for page in pages(SETS[name], Size())) <= 600
