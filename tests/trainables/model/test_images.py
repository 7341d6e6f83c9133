"""Claims about pixels: they are the reference's, bit for bit, whatever the picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import timm.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import Compose, Resize
from torchvision.transforms import functional as transforms

from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.catalogue.load import shipped
from tests.support.tiny_specs import vision
from trainables.model.images import pixels

STRATEGIES = ["letterbox", "naive", "crop"]
SIZES = [(640, 480), (480, 641), (333, 500), (47, 47), (101, 100), (100, 103), (1, 1), (1, 90), (301, 1), (1000, 37)]
CLIP, HALF = shipped().encoders["clip-vit-l"], shipped().encoders["siglip-vit-so400m"]
DINO = shipped().encoders["dinov2-vit-l"]


def _reference(picture: Image.Image, strategy: str, resolution: int, entry: EncoderEntry) -> torch.Tensor:
    """The strategy as Prismatic composes it: timm's evaluation transform, its first step replaced or preceded."""
    made = timm.data.create_transform(
        (3, resolution, resolution), interpolation="bicubic", mean=entry.mean, std=entry.std, crop_pct=1.0
    )
    assert isinstance(made, Compose)
    resize, *rest = made.transforms
    assert isinstance(resize, Resize)
    if strategy == "naive":
        made = Compose([Resize((resolution, resolution), interpolation=resize.interpolation), *rest])
    if strategy == "letterbox":
        longer = max(picture.size)
        horizontal, vertical = (int((longer - side) / 2) for side in picture.size)
        fill = [int(channel * 255) for channel in entry.mean]
        picture = transforms.pad(picture, [horizontal, vertical, horizontal, vertical], fill, "constant")
    return made(picture)  # type: ignore[no-any-return]


def _noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width * 1009 + height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values, "RGB")


def _assert_equal(picture: Image.Image, strategy: str, resolution: int, entry: object) -> None:
    assert isinstance(entry, EncoderEntry)
    spec = vision(resize=strategy, resolution=resolution, mean=entry.mean, std=entry.std)
    ours, theirs = pixels(picture, spec), _reference(picture, strategy, resolution, entry).numpy()
    assert ours.dtype == np.float32
    assert ours.shape == (3, resolution, resolution)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("entry", [CLIP, HALF, DINO], ids=["clip", "siglip", "dinov2"])
def test_every_level_is_normalised_as_by_arithmetic(entry: object) -> None:
    assert isinstance(entry, EncoderEntry)
    levels_HWC = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    mean, std = (torch.tensor(values)[:, None, None] for values in (entry.mean, entry.std))
    expected = (torch.from_numpy(levels_HWC).permute(2, 0, 1).float() / 255 - mean) / std
    spec = vision(resize="naive", resolution=16, mean=entry.mean, std=entry.std)
    np.testing.assert_array_equal(pixels(Image.fromarray(levels_HWC, "RGB"), spec), expected.numpy())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("entry", [CLIP, HALF, DINO], ids=["clip", "siglip", "dinov2"])
def test_pixels_are_those_of_timm_and_torchvision(size: tuple[int, int], strategy: str, entry: object) -> None:
    for resolution in (32, 63):
        _assert_equal(_noise(*size), strategy, resolution, entry)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 120), height=st.integers(1, 120), resolution=st.integers(8, 70))
def test_pixels_are_the_references_at_any_size(strategy: str, width: int, height: int, resolution: int) -> None:
    _assert_equal(_noise(width, height), strategy, resolution, CLIP)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("preset", ["clip-vit-l-336px", "siglip-vit-so400m-384px", "dinov2-vit-l"])
def test_pixels_are_the_references_at_the_presets_own_resolution(preset: str, strategy: str) -> None:
    entry = shipped().encoders[preset]
    _assert_equal(_noise(500, 375), strategy, entry.resolution, entry)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_of_a_file_becomes_the_references_rgb(mode: str, strategy: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    source = _noise(90, 61).convert("L" if mode == "I;16" else mode)
    source = Image.fromarray(np.asarray(source, np.uint16) * 200) if mode == "I;16" else source
    source.save(file, "TIFF" if mode == "CMYK" else "PNG")
    _assert_equal(Image.open(file).convert("RGB"), strategy, 32, CLIP)


def test_parts_of_a_fused_encoder_see_their_own_borders_and_normalisation() -> None:
    assert isinstance(CLIP, EncoderEntry)
    parts = tuple(
        vision(resize="letterbox", resolution=32, mean=mean, std=std)
        for mean, std in ((CLIP.mean, CLIP.std), ((0.5, 0.25, 0.125), (0.5, 0.5, 0.5)))
    )
    picture = _noise(80, 41)
    fused = pixels(picture, vision(resize="letterbox", resolution=32, family="fused", parts=parts))
    assert fused.shape == (6, 32, 32)
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(fused[3 * number : 3 * number + 3], pixels(picture, part))
    borders = fused[:, 0, :]  # the mean colour is zero, up to its rounding down, in each part's own terms
    assert np.abs(borders).max() <= 1 / 255 / 0.25
