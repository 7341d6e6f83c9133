"""Vision-language model of this folder: vision towers (timm), projector and language model (transformers).

It reads ``[BOS] [image] [text]``: every image token of `input_ids` is replaced by one visual token, in order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import timm
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from .projector_layers import stack  # it stands beside this file in an exported folder


class AblateConfig(PreTrainedConfig):
    """Configuration of the model.

    Args:
        text_config: configuration of the language model.
        towers: for each vision tower its timm `arch` and `options`, the `layer` that is read (an index for
            `forward_intermediates`), and `whole`: whether the map after the last layer is read instead.
        tokens: visual tokens per image; the grid of features is average-pooled where it is larger.
        projector: the projector's layers, each as (kind, width in, width out).
        image_token_index: id of the placeholder of a visual token.
        generation: settings of `generate`: special tokens, and those that stand for no text.
    """

    model_type = "ablate-vlm"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig}

    def __init__(
        self,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        towers: list[dict[str, Any]] | None = None,
        tokens: int = 0,
        projector: list[tuple[str, int, int]] | None = None,
        image_token_index: int = 0,
        generation: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        if isinstance(text_config, dict):
            values = dict(text_config)
            text_config = AutoConfig.for_model(values.pop("model_type"), **values)
        self.text_config = text_config
        self.towers, self.tokens = towers or [], tokens
        self.projector, self.image_token_index = projector or [], image_token_index
        self.generation = generation or {}
        super().__init__(**kwargs)


class Tower(nn.Module):
    """Vision encoder of one timm model, read at one of its layers: B x 3 x R x R to B x positions x width."""

    def __init__(self, arch: str, options: dict[str, Any], layer: int, whole: bool):
        super().__init__()
        self.tower = timm.create_model(arch, pretrained=False, num_classes=0, **options)
        self._layer, self._whole = layer, whole

    def forward(self, image: Tensor) -> Tensor:
        if self._whole:
            features = self.tower.forward_features(image)
        else:
            (features,) = self.tower.forward_intermediates(
                image, indices=[self._layer], intermediates_only=True, output_fmt="NCHW", stop_early=True
            )
        flat: Tensor = features.flatten(2).transpose(1, 2)
        return flat


class FusedEncoder(nn.Module):
    """Vision encoder of several towers, each with three channels of its own; features are concatenated."""

    def __init__(self, towers: list[dict[str, Any]]):
        super().__init__()
        self.parts = nn.ModuleList(Tower(**tower) for tower in towers)

    def forward(self, image: Tensor) -> Tensor:
        images = image.split(3, dim=1)
        return torch.cat([part(channels) for part, channels in zip(self.parts, images, strict=True)], dim=2)


class AblateVLM(PreTrainedModel):
    """Vision-language model, loaded by `AutoModel.from_pretrained(folder, trust_remote_code=True)`."""

    config_class = AblateConfig
    main_input_name = "input_ids"

    def __init__(self, config: AblateConfig):
        super().__init__(config)
        self.vision = Tower(**config.towers[0]) if len(config.towers) == 1 else FusedEncoder(config.towers)
        self.projector = stack(config.projector)
        self.language = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: Any, *args: Any, output_loading_info: bool = False, **kwargs: Any
    ) -> Any:
        """Load the model as every model of transformers is loaded, but refuse a folder that is not whole.

        Transformers draws weights that are missing or have another shape at random, and only warns.

        Args:
            pretrained_model_name_or_path: folder, or name on the hub.
            args: of `PreTrainedModel.from_pretrained`.
            output_loading_info: whether to return what was found beside the model.
            kwargs: of `PreTrainedModel.from_pretrained`.

        Raises:
            ValueError: tensors are missing, unexpected or of another shape, all of them named; or a file is damaged.
        """
        _refuse_placeholders(Path(str(pretrained_model_name_or_path)))
        try:
            model, found = super().from_pretrained(
                pretrained_model_name_or_path,
                *args,
                **{**kwargs, "output_loading_info": True, "ignore_mismatched_sizes": True},  # all are named below
            )
        except SafetensorError as error:
            law = f"{pretrained_model_name_or_path}: a file of weights is cut off or damaged ({error})"
            raise ValueError(law) from error
        _refuse_drawn(found, str(pretrained_model_name_or_path))
        return (model, found) if output_loading_info else model

    def embed(self, input_ids: Tensor, pixel_values: Tensor | None = None) -> Tensor:
        """Compute input embeddings, with visual tokens in the places of image tokens.

        Args:
            input_ids: token ids, B x L.
            pixel_values: pixels of B images, channels x R x R; None for text alone.
        """
        embedded: Tensor = self.language.get_input_embeddings()(input_ids)
        if pixel_values is None:
            return embedded
        features = self.vision(pixel_values.to(embedded.dtype))
        visual = self.projector(_pool(features, self.config.tokens)).to(embedded.dtype)
        places = (input_ids == self.config.image_token_index).unsqueeze(-1).expand_as(embedded)
        return embedded.masked_scatter(places, visual)

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        embedded = self.embed(input_ids, pixel_values)
        return self.language(inputs_embeds=embedded, attention_mask=attention_mask, **kwargs)

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Generate answers; returns the ids of the answers alone, without the prompts.

        Args:
            input_ids: token ids of the prompts, B x L.
            pixel_values: pixels of B images, channels x R x R; None for text alone.
            attention_mask: 0 for padding, B x L.
            kwargs: settings of `generate` of transformers; they replace those of the configuration.
        """
        embedded = self.embed(input_ids, pixel_values)
        answer: Tensor = self.language.generate(
            inputs_embeds=embedded, attention_mask=attention_mask, **{**self.config.generation, **kwargs}
        )
        return answer


def _refuse_placeholders(folder: Path) -> None:
    """Raise ValueError if a file of weights is what git keeps in its place without git-lfs."""
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as opened:
            if opened.read(40).startswith(b"version https://git-lfs"):
                raise ValueError(f"{file} is a Git LFS pointer, not the weights: run `git lfs pull` in its folder")


def _refuse_drawn(found: dict[str, Any], place: str) -> None:
    """Raise ValueError unless the weights of the files and those of the model are the same, by name and shape."""
    shapes = [f"{name} ({list(theirs)} instead of {list(ours)})" for name, theirs, ours in found["mismatched_keys"]]
    problems = {
        "missing": sorted(found["missing_keys"]),
        "unexpected": sorted(found["unexpected_keys"]),
        "of another shape": sorted(shapes),
    }
    said = [f"{len(names)} {what}: {', '.join(names)}" for what, names in problems.items() if names]
    if said:
        raise ValueError(f"{place}: every weight must come from the files, but tensors are {'; '.join(said)}")


def _pool(features: Tensor, tokens: int) -> Tensor:
    """Average-pool a square grid of features to a square number of tokens."""
    positions = features.shape[1]
    if tokens == positions:
        return features
    side, pooled = round(positions**0.5), round(tokens**0.5)
    grid = features.transpose(1, 2).reshape(len(features), -1, side, side)
    return F.adaptive_avg_pool2d(grid, pooled).flatten(2).transpose(1, 2)
