"""What a blind run shows is everything but a question's own images, and each has a key of its own."""

from __future__ import annotations

from typing import get_args

from search_spaces.expansion.blind_run import OTHER_IMAGES
from search_spaces.spec import ADDED_BY_IMAGES, BenchmarkSpec, ShownImages
from tests.support.tiny_specs import source


def test_every_kind_of_images_is_asked_and_tells_its_scores_from_all_others() -> None:
    assert {"own", *OTHER_IMAGES} == set(get_args(ShownImages)) == set(ADDED_BY_IMAGES)
    asked = [BenchmarkSpec(id="pope", source=source(), images=images).asked for images in ADDED_BY_IMAGES]
    assert all(asked.count(content) == 1 for content in asked)
    assert "images" not in asked[0], "keys of scores with a question's own images are those of earlier versions"
