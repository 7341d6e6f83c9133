"""What is drawn is what the scene says, pixel for pixel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.support.seen_pixels import seen
from trainables.miniature.generate import SETS, Size, pages
from trainables.miniature.raster import rasterise
from trainables.miniature.scene import COLOURS, SHAPES, Scene, Thing


def test_every_shape_fills_its_box_to_the_last_row_and_column() -> None:
    for side in range(12, 40):
        for shape in SHAPES:
            scene = Scene((Thing("red", shape, (11, 7, 11 + side, 7 + side)),))
            near = (rasterise(scene) == COLOURS["red"]).all(axis=2)
            rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
            assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == scene.things[0].box


@pytest.mark.parametrize("name", ["vqav2", "gqa", "refcoco", "pope", "tallyqa", "vsr"])
def test_what_is_drawn_is_what_the_scene_says(name: str) -> None:
    for page in pages(SETS[name], Size(images=12)):
        counts = {what: len(boxes) for what, boxes in seen(rasterise(page.scene).astype(np.int64)).items()}
        assert counts == Counter(page.scene.names())
