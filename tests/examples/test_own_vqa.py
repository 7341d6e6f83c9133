"""The studies beside the drawn images are planned with every arm that they name, and run at toy size to the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, ablate

FOLDER = ROOT / "examples" / "own-vqa"
ARMS = {
    "shapes": ["base"],
    "encoders": [
        "base",
        "encoder=lite0-half",
        "encoder=small-resnet",
        "encoder=small-resnet-fine",
        "encoder=convnext",
    ],
    "languages": ["base", "language=wide", "language=shallow", "language=other-family"],
    "places-and-counts": ["base", "vision.stride=16"],
}
"""Study -> its arms."""
MAPS = {"encoder=small-resnet": (512, 9), "encoder=small-resnet-fine": (256, 36), "encoder=convnext": (320, 9)}
"""Arm -> width of a feature and number of visual tokens, as timm has them for maps of stride 32 and 16 at 96 px."""


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder in which the images were drawn as its README says."""
    subprocess.run([sys.executable, str(FOLDER / "draw.py"), "shapes"], cwd=tmp_path, check=True)
    return tmp_path


def test_every_study_beside_the_drawn_images_is_tried_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(ARMS)


@pytest.mark.parametrize("study", ARMS)
def test_study_is_planned_with_every_arm_and_its_records_are_as_it_says(study: str, drawn: Path) -> None:
    words = [str(FOLDER / f"{study}.yaml"), "--data", "."]
    plan = json.loads(ablate("plan", *words, "--json", storage=drawn / "storage", cwd=drawn).stdout)
    assert [arm["name"] for arm in plan["arms"]] == ARMS[study]
    maps = {arm["name"]: (arm["feature_width"], arm["tokens_per_image"]) for arm in plan["arms"]}
    assert {name: maps[name] for name in maps.keys() & MAPS.keys()} == {
        name: MAPS[name] for name in ARMS[study] if name in MAPS
    }
    ablate("data", "check", *words, storage=drawn / "storage", cwd=drawn)


def test_a_box_that_training_names_is_where_the_shape_is_drawn(drawn: Path) -> None:
    records = json.loads((drawn / "shapes" / "train-more.json").read_text())
    places = [record["conversations"][1]["value"] for record in records if record["id"].endswith("-place")]
    assert len(places) == 40
    assert all(0 <= edge <= 1 for place in places for edge in json.loads(place))
    (first,) = [json.loads(line) for line in (drawn / "shapes" / "places.jsonl").read_text().splitlines()[:1]]
    left, top, right, bottom = first["box"]
    assert first["size"] == [96, 96]
    assert 0 < left < right < 96
    assert 0 < top < bottom < 96


@pytest.mark.ray
@pytest.mark.parametrize("study", sorted(set(ARMS) - {"shapes"}))
def test_study_runs_at_toy_size_and_scores_every_arm(study: str, drawn: Path) -> None:
    words = [str(FOLDER / f"{study}.yaml"), "--toy", "--data", ".", "--set", "seeds=[1]"]
    ablate("run", *words, storage=drawn / "storage", cwd=drawn)
    report = json.loads(ablate("report", *words, "--json", storage=drawn / "storage", cwd=drawn).stdout)
    assert report["counts"]["done"] == report["n_trials"] == len(ARMS[study])
    assert {cost["arm"] for cost in report["costs"]} == set(ARMS[study])
