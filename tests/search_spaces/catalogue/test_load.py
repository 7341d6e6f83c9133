"""Claims about the shipped catalogue: its facts are those of their sources."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from search_spaces.catalogue.load import shipped
from search_spaces.catalogue.recipe_entries import OptimizerPatch, StagePatch
from search_spaces.spec import OptimizerSpec, StageSpec
from search_spaces.steps import TEXT_ONLY

PATCHES = {  # reference: the presets' feature grids, as the paper's code makes them
    "clip-vit-l": (224, 256, 1024),
    "clip-vit-l-336px": (336, 576, 1024),
    "siglip-vit-so400m": (224, 256, 1152),
    "siglip-vit-so400m-384px": (384, 729, 1152),
    "dinov2-vit-l": (224, 256, 1024),
    "in1k-vit-l": (224, 196, 1024),
}


@pytest.mark.parametrize("name", PATCHES)
def test_preset_has_the_published_resolution_patches_and_width(name: str) -> None:
    entry = shipped().encoders[name]
    assert entry.patch is not None
    assert (entry.resolution, (entry.resolution // entry.patch) ** 2, entry.width) == PATCHES[name]


def test_every_name_in_the_catalogue_leads_somewhere() -> None:
    catalogue = shipped()
    for mix in catalogue.mixes.values():
        for part in mix.parts:
            source = catalogue.sources[part.source]
            assert set(part.drop) <= {*source.tags, TEXT_ONLY}
    for benchmark in catalogue.benchmarks.values():
        assert benchmark.source in catalogue.sources
        assert benchmark.select is None or benchmark.select in catalogue.sources[benchmark.source].tags
    for suite in catalogue.suites.values():
        assert all(choice.id in catalogue.benchmarks for choice in suite)
    for recipe in catalogue.recipes.values():
        assert all(stage.data is None or stage.data in catalogue.mixes for stage in recipe.stages.values())
    for language in catalogue.languages.values():
        assert language.tokenizer.source is None or language.tokenizer.source in catalogue.sources


def test_no_mix_shares_its_name_with_another_kind_of_thing_by_accident() -> None:
    catalogue = shipped()
    assert not set(catalogue.suites) & set(catalogue.benchmarks)


@pytest.mark.parametrize(
    ("name", "split", "images"),
    [("easy-vqa", "train", None), ("easy-vqa-1500", "train", 1500), ("easy-vqa-test", "test", None)],
)
def test_counts_of_easy_vqa_are_those_of_the_package(name: str, split: str, images: int | None) -> None:
    package = pytest.importorskip("easy_vqa")
    questions = json.loads((Path(package.__file__).parent / "data" / split / "questions.json").read_text())
    kept = [row for row in questions if images is None or row[2] < images]
    tags = Counter(_tag(question, answer) for question, answer, _ in kept)
    entry = shipped().sources[name]
    assert (entry.records, entry.images) == (len(kept), len({image for _, _, image in kept}))
    assert entry.tags == tags


def _tag(question: str, answer: str) -> str:
    if answer in ("yes", "no"):
        return "negated" if re.search(r"\b(not|no)\b", question) else "yes-no"
    return "shape" if answer in ("circle", "rectangle", "triangle") else "color"


def test_patches_of_stages_have_the_fields_of_stages() -> None:
    assert set(StagePatch.model_fields) == set(StageSpec.model_fields) - {"name"}
    assert set(OptimizerPatch.model_fields) == set(OptimizerSpec.model_fields)
