from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tiny_trials import vision

from trainables.model.images import pixels


def _wide() -> Image.Image:
    """Left half red, right half blue, twice as wide as high."""
    picture = Image.new("RGB", (80, 40), (255, 0, 0))
    picture.paste((0, 0, 255), (40, 0, 80, 40))
    return picture


@pytest.mark.parametrize("resize", ["letterbox", "naive", "crop"])
def test_pixels_are_square_normalised_and_channels_first(resize: str) -> None:
    image_CHW = pixels(_wide(), vision(resize=resize, resolution=32))
    assert image_CHW.shape == (3, 32, 32)
    assert image_CHW.dtype == np.float32
    assert image_CHW[0, 16, 4] == pytest.approx(1.0, abs=0.02)  # red: (1 - 0.5) / 0.5


def test_letterbox_pads_with_the_mean_colour() -> None:
    image_CHW = pixels(_wide(), vision(resize="letterbox", resolution=32))
    assert np.abs(image_CHW[:, 0, :]).max() < 0.01


def test_naive_keeps_the_sides_and_crop_loses_them() -> None:
    naive = pixels(_wide(), vision(resize="naive", resolution=32))
    crop = pixels(_wide(), vision(resize="crop", resolution=32))
    assert (naive[0, 16] > 0).sum() == (crop[0, 16] > 0).sum() == 16
    narrow = Image.new("RGB", (80, 40), (255, 0, 0))
    narrow.paste((0, 255, 0), (0, 0, 20, 40))
    assert (pixels(narrow, vision(resize="crop", resolution=32))[1] > 0).sum() == 0
    assert (pixels(narrow, vision(resize="naive", resolution=32))[1] > 0).sum() == 32 * 8
