"""Prepare pictures and prompts for the model of this folder, as its evaluation did."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from transformers import BatchFeature, ProcessorMixin
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_utils import make_flat_list_of_images, to_numpy_array

from .images import pixels  # it stands beside this file in an exported folder


class AblateImageProcessor(BaseImageProcessor):
    """Image processor that resizes and normalises pictures, once for each vision tower.

    Args:
        towers: for each tower `resolution`, `resize` (letterbox, naive or crop), `mean` and `std`.
    """

    model_input_names: ClassVar[list[str]] = ["pixel_values"]

    def __init__(self, towers: list[dict[str, Any]] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.towers = towers or []

    def preprocess(self, images: Any, return_tensors: str | None = None, **kwargs: Any) -> BatchFeature:
        rows = [self._pixels(image) for image in make_flat_list_of_images(images)]
        return BatchFeature({"pixel_values": np.stack(rows)}, tensor_type=return_tensors)

    def _pixels(self, image: Any) -> np.ndarray[Any, Any]:
        picture = image if isinstance(image, Image.Image) else Image.fromarray(to_numpy_array(image))
        rgb = picture.convert("RGB")
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
