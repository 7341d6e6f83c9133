"""Images of every mode, depth, transparency, orientation and format are what was drawn, or refused in plain words."""

from __future__ import annotations

import importlib
import io
import json
import re
import shutil
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import PixelSpec, SourceSpec
from tests.support.broken_inputs import tries
from tests.support.drawn_images import Drawn, drawn_images
from tests.support.tiny_specs import vision
from trainables.data.decode import UnusableImageError, check, decode
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.export import own, own_code
from trainables.features import encode_images
from trainables.model.images import pixels
from trainables.storage.store import LocalStore

VISION = vision(resolution=16)

_UNSPEAKABLE = re.compile(r"0x[0-9a-f]{6}|BytesIO|Traceback|\.py\b|<class")

DAMAGES: dict[str, Callable[[bytes, float], bytes]] = {
    "cut": lambda data, share: data[: int(len(data) * share)],
    "zeros at the end": lambda data, share: data[: int(len(data) * share)].ljust(len(data) + 64, b"\x00"),
    "zeros from there": lambda data, share: data[: int(len(data) * share)].ljust(len(data), b"\x00"),
    "a page": lambda data, share: b"<!DOCTYPE html><html><head><title>404</title>"[: 20 + int(30 * share)],
    "empty": lambda data, share: b"",
    "only zeros": lambda data, share: bytes(1 + int(500 * share)),
    "text before": lambda data, share: b"HTTP/1.1 200 OK\r\n\r\n" + data,
    "line ends": lambda data, share: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "as text": lambda data, share: data.decode("utf-8", "replace").encode(),
}


NOTICED = {"zeros at the end": ("png", "jpeg"), "zeros from there": ("png", "jpeg"), "line ends": ("png",)}
"""Damages that keep a file's form -> the formats that have a checksum or an end by which they are noticed."""


@tries("images", few=90)
@given(drawn_images())
def test_what_was_drawn_is_what_is_seen(image: Drawn) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check(image.data, image.pixels)
        decoded = decode(image.data, image.pixels)
    assert image.is_seen_in(decoded.picture), image.form
    assert not caught


@tries("images", few=90)
@given(drawn_images(), st.sampled_from(sorted(DAMAGES)), st.floats(0.05, 0.98))
def test_a_damaged_image_is_what_was_drawn_or_refused_in_plain_words(image: Drawn, damage: str, share: float) -> None:
    image_format = re.split(r"\W", image.form)[0]
    assume(image_format in NOTICED.get(damage, (image_format,)))
    data = DAMAGES[damage](image.data, share)
    words = _refusal(data, image)
    if words is None:
        assert image.is_seen_in(decode(data, image.pixels).picture), f"{image.form}: {damage} at {share}"
        return
    assert re.match(r"(is|has|was) ", words)
    assert not _UNSPEAKABLE.search(words)
    assert _refusal(data, image) == words


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("rows", [0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("is_black", [False, True])
def test_a_png_that_ends_well_and_lacks_rows_is_cut_off_and_a_black_one_is_not(
    rows: float, mode: str, is_black: bool
) -> None:
    grey = Image.fromarray(np.full((16, 24), 0 if is_black else 200, np.uint16 if mode == "I;16" else np.uint8))
    written = io.BytesIO()
    (grey if mode == "I;16" else grey.convert(mode)).save(written, "PNG")
    data = written.getvalue()
    header, body = data[: data.index(b"IDAT") - 4], re.search(rb"IDAT(.*)....\x00\x00\x00\x00IEND", data, re.DOTALL)
    assert body is not None
    pixels = zlib.decompress(body[1])
    kept = pixels[: int(len(pixels) * rows)]
    data = header + _chunk(b"IDAT", zlib.compress(kept)) + _chunk(b"IEND", b"")
    if rows == 1:
        check(data, PixelSpec())
    else:
        with pytest.raises(UnusableImageError, match="is cut off: its data end before the picture does"):
            check(data, PixelSpec())


def _refusal(data: bytes, image: Drawn) -> str | None:
    try:
        check(data, image.pixels)
    except UnusableImageError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The processor of an exported model, from the files that an export holds."""
    folder = tmp_path_factory.mktemp("export") / "exported_code"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for file in own._FILES:
        shutil.copy(file, folder)
    assert (folder / "processing_ablate.py").exists(), own_code
    sys.path.insert(0, str(folder.parent))
    try:
        yield importlib.import_module("exported_code.processing_ablate")
    finally:
        sys.path.remove(str(folder.parent))


class _Eye(torch.nn.Module):
    """Encoder that keeps what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = torch.zeros(0)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        self.seen = image_BCHW
        return image_BCHW.flatten(1)[:, None]


@tries("images", few=15)
@given(drawn_images())
def test_training_features_evaluation_and_exports_see_the_same_pixels(
    exported: Any, tmp_path_factory: pytest.TempPathFactory, image: Drawn
) -> None:
    folder = tmp_path_factory.mktemp("doors")
    (folder / "images").mkdir()
    (folder / "images" / "a.img").write_bytes(image.data)
    talk = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    (folder / "chat.json").write_text(json.dumps([{"id": "1", "image": "images/a.img", "conversations": talk}]))
    asked = {"id": "1", "image": "a.img", "question": "is it?", "answer": "yes"}
    (folder / "asked.jsonl").write_text(json.dumps(asked))
    training = SourceSpec(name="t", version="1", reader="llava", path="chat.json", pixels=image.pixels)
    family: dict[str, int | float | str | bool] = {"benchmark": "yes-no"}
    questions = training.model_copy(update={"reader": "questions", "path": "asked.jsonl", "options": family})
    store, eye = LocalStore(folder / "store"), _Eye()
    seen: dict[str, np.ndarray[Any, Any]] = {}
    for name, source in (("training", training), ("evaluation", questions)):
        prepared = PreparedSource(store, prepare_source(source, store, folder)[0])
        assert image.is_seen_in(prepared.picture(0)), image.form
        seen[name] = pixels(prepared.picture(0), VISION)
        encode_images(eye, prepared.pictures, VISION, [0], "cpu")  # type: ignore[arg-type]
        seen[f"features of {name}"] = eye.seen[0].numpy()
    assert len(list((folder / "store" / "pictures").iterdir())) == 1
    processor = exported.AblateImageProcessor(towers=[own._preprocessing(VISION)], ground=image.ground)
    path = folder / "images" / "a.img"
    seen["an export, of a path"] = processor(images=str(path))["pixel_values"][0]
    seen["an export, of a picture"] = processor(images=Image.open(path))["pixel_values"][0]
    for name, values in seen.items():
        assert np.array_equal(values, seen["training"]), f"{image.form}: {name}"


@tries("images", few=10)
@given(drawn_images(), st.sampled_from(sorted(DAMAGES)), st.floats(0.05, 0.5))
def test_a_source_with_a_damaged_image_is_prepared_as_drawn_or_refused_by_its_record(
    tmp_path_factory: pytest.TempPathFactory, image: Drawn, damage: str, share: float
) -> None:
    assume(damage not in NOTICED)
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a.img").write_bytes(DAMAGES[damage](image.data, share))
    talk = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    (folder / "chat.json").write_text(json.dumps([{"id": "17", "image": "a.img", "conversations": talk}]))
    source = SourceSpec(name="t", version="1", reader="llava", path="chat.json", pixels=image.pixels)
    store = LocalStore(folder / "store")
    try:
        digest, _ = prepare_source(source, store, folder)
    except InputError as error:
        words = str(error)
    else:
        assert image.is_seen_in(PreparedSource(store, digest).picture(0))
        return
    assert "record '17': the image 'a.img'" in words
    assert not _UNSPEAKABLE.search(words.replace(str(folder), ""))
