"""Prepare pictures and prompts for the model of this folder, as its evaluation did."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from transformers import BatchFeature, ProcessorMixin
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_utils import make_flat_list_of_images, to_numpy_array

from .images import pixels  # it stands beside this file in an exported folder, as the next one does
from .rgb import to_rgb


class AblateImageProcessor(BaseImageProcessor):
    """Image processor that makes pictures what a person sees, then resizes and normalises them for each vision tower.

    Pictures are given as Pillow opens them, as paths or as arrays: samples of more than 8 bits are scaled, transparent
    parts are composed on the ground, EXIF orientation is applied, as in training. Of pictures by http(s) address
    transformers' own `load_image` does the decoding: it applies the orientation only.

    Args:
        towers: for each tower `resolution`, `resize` (letterbox, naive or crop), `mean` and `std`.
        ground: colour behind transparent parts, red, green and blue.
        white: sample that is white in grey pictures of more than 8 bits, where their files do not say.
    """

    model_input_names: ClassVar[list[str]] = ["pixel_values"]

    def __init__(
        self,
        towers: list[dict[str, Any]] | None = None,
        ground: tuple[int, int, int] = (255, 255, 255),
        white: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.towers, self.ground, self.white = towers or [], tuple(ground), white

    def fetch_images(self, image_url_or_urls: Any) -> Any:
        """Open pictures that are named by a path or are base64 text; transformers' own way converts them at once."""
        if isinstance(image_url_or_urls, list | tuple):
            return [self.fetch_images(each) for each in image_url_or_urls]
        if isinstance(image_url_or_urls, str | Path) and os.path.isfile(image_url_or_urls):
            return Image.open(image_url_or_urls)
        if isinstance(image_url_or_urls, str) and image_url_or_urls.startswith("data:image/"):
            return Image.open(io.BytesIO(base64.b64decode(image_url_or_urls.partition(",")[2])))
        return super().fetch_images(image_url_or_urls)

    def preprocess(self, images: Any, return_tensors: str | None = None, **kwargs: Any) -> BatchFeature:
        rows = [self._pixels(image) for image in make_flat_list_of_images(self.fetch_images(images))]
        return BatchFeature({"pixel_values": np.stack(rows)}, tensor_type=return_tensors)

    def _pixels(self, image: Any) -> np.ndarray[Any, Any]:
        picture = image if isinstance(image, Image.Image) else Image.fromarray(to_numpy_array(image))
        rgb = to_rgb(picture, SimpleNamespace(ground=self.ground, white=self.white)).picture
        return np.concatenate([pixels(rgb, SimpleNamespace(parts=(), **tower)) for tower in self.towers])


class AblateProcessor(ProcessorMixin):
    """Processor of pictures and text together; a picture becomes `tokens` image tokens."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        tokens: int = 0,
        chat_template: str | None = None,
        image_token: str = "<image>",
        **kwargs: Any,
    ):
        self.tokens, self.image_token = tokens, image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **kwargs: Any) -> str:
        return self.image_token * self.tokens
