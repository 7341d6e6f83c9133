"""The miniature as a whole is balanced and the same everywhere."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections import Counter
from pathlib import Path

import pytest

from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.spec import SourceSpec
from tests.support.small_miniature import NAMES, SMALL, files_of, folder, read_json
from trainables.data.readers import open_reader
from trainables.miniature.generate import SETS, Size, generate, pages, training
from trainables.miniature.raster import rasterise

GOLDEN = {
    "json": "363ffa99158fbdfbbbbe117587419df9bbb11c36470eb562bf643c06d9fb9b45",
    "pixels": "7e102d43158dd4840ba4caa591183cc1567e332d95b033b8e31fba64b454e29e",
}
"""Of the small size. They change only together with `VERSION`."""


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("vqav2", "yes", "no"), ("gqa", "yes", "no"), ("pope", "Yes", "No"), ("vsr", "True", "False")],
)
def test_yes_and_no_are_the_right_answer_equally_often(name: str, first: str, second: str) -> None:
    answers = Counter(question.answer for page in pages(SETS[name], Size()) for question in page.questions)
    assert answers[first] > 40
    assert abs(answers[first] - answers[second]) <= 0.02 * (answers[first] + answers[second])


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
    trained = {lesson.image: lesson.scene for lesson in training(SMALL)}
    scenes += [scene for scene in trained.values() if scene is not None]
    for scene in scenes:
        pixels.update(rasterise(scene).tobytes())
    assert {"json": texts.hexdigest(), "pixels": pixels.hexdigest()} == GOLDEN


def test_another_seed_draws_other_scenes() -> None:
    (scenes, reseeded) = (pages(SETS["vqav2"], Size(images=4, seed=seed)) for seed in (7, 8))
    assert not {page.scene for page in scenes} & {page.scene for page in reseeded}


def test_a_source_in_a_miniature_draws_it_when_it_is_first_opened_and_only_then(tmp_path: Path) -> None:
    source = SourceSpec(
        name="train",
        version="1",
        reader="llava",
        path=f"{SMALL.folder}/mini-train.json",
        image_folder=f"{SMALL.folder}/train",
    )
    reader = open_reader(source, tmp_path)
    records = list(reader.records())
    assert len(records) == len(read_json(folder() / "mini-train.json"))
    assert all(reader.image(record.image) for record in records if record.image is not None)
    assert dict(files_of(tmp_path / SMALL.folder)) == dict(files_of(folder()))
    assert open_reader(source, tmp_path).signature() == reader.signature()


def test_a_miniature_of_another_version_is_refused_naming_the_default_one(tmp_path: Path) -> None:
    source = SourceSpec(name="train", version="1", reader="llava", path="miniature/v999/mini-train.json")
    with pytest.raises(InputError, match=re.escape(Size().folder)):
        open_reader(source, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_catalogue_counts_what_is_drawn() -> None:
    declared, lessons = shipped().sources["mini-train"], training(Size())
    assert declared.path == f"{Size().folder}/mini-train.json"
    assert declared.records == len(lessons)
    assert declared.text_only_records == sum(lesson.scene is None for lesson in lessons)
    assert declared.images == len({lesson.image for lesson in lessons if lesson.scene is not None})
    assert declared.tags == Counter(lesson.skill for lesson in lessons if lesson.scene is not None)


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_counts_the_examples_of_every_set(name: str) -> None:
    declared, shown = shipped().sources[f"mini-{name}"], pages(SETS[name], Size())
    assert declared.path == f"{Size().folder}/benchmarks/{name}"
    if name in ("refcoco", "refcoco+", "refcocog"):
        shown = [page for page in shown if page.number % 15 not in (6, 13)]  # the rest is val
    assert declared.images == len(shown)
    assert declared.records == sum(len(page.questions) for page in shown)


@pytest.mark.parametrize("name", NAMES)
def test_a_set_asks_about_a_hundred_questions_or_more_about_its_images(name: str) -> None:
    assert 80 <= sum(len(page.questions) for page in pages(SETS[name], Size())) <= 600
