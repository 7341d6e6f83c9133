"""Sources with the same images, in another order and with other texts, are encoded once, and read what is theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from search_spaces.spec import MixPart, MixSpec, PixelSpec, SourceSpec
from tests.support.image_files import with_orientation
from tests.support.tiny_specs import SGD, stage
from tests.support.tiny_trials import losses, make_task, run


def _source(folder: Path, name: str, images: list[str]) -> SourceSpec:
    rows = [
        {
            "id": str(number),
            "image": image,
            "conversations": [{"from": "human", "value": f"{name} {number}?"}, {"from": "gpt", "value": str(number)}],
        }
        for number, image in enumerate(images)
    ]
    (folder / f"{name}.json").write_text(json.dumps(rows))
    ground = PixelSpec(ground=(9, 9, 9))
    return SourceSpec(name=name, version="1", reader="llava", path=f"{name}.json", pixels=ground)


def test_features_of_shared_pictures_train_as_their_pixels_do(tmp_path: Path) -> None:
    images = [f"{number}.png" for number in range(10)]
    trained = []
    for place, is_cached in (("cached", True), ("streamed", False)):
        folder = tmp_path / place
        folder.mkdir()
        for number, image in enumerate(images):
            samples = np.random.default_rng(number).integers(0, 255, (20, 30, 3 + number % 2), np.uint8)
            Image.fromarray(samples).save(folder / image, exif=with_orientation(1 + number % 8))
        sources = (_source(folder, "a", images), _source(folder, "b", images[::-1] + images[:3]))
        mix = MixSpec(name="m", parts=tuple(MixPart(source=source) for source in sources))
        task = make_task(folder, stages=(stage(data=mix, max_steps=3, optimizer=SGD),), cached=is_cached, benchmarks=())
        trained.append(losses(run(task)))
        assert len(list(folder.glob("pictures/*"))) == 1
        assert len(list(folder.glob("features/*"))) == int(is_cached)
    assert trained[0] == trained[1]
