"""Export a trained model of any build with its own model code: transformers loads it with `trust_remote_code`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import save_torch_state_dict
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from search_spaces.spec import PixelSpec, TrialSpec, VisionSpec
from trainables.export import own_code
from trainables.export.processor import prepend_bos
from trainables.export.read_back import Written, json_setting, text_setting, tokenizer_settings
from trainables.model import images, projector_layers, rgb
from trainables.model.vision import FusedEncoder, Tower
from trainables.model.vlm import VLM

_CODE = Path(next(iter(own_code.__path__)))
_FILES = (
    _CODE / "modeling_ablate.py",
    _CODE / "processing_ablate.py",
    Path(images.__file__),
    Path(rgb.__file__),
    Path(projector_layers.__file__),
)


def write_own(
    model: VLM,
    spec: TrialSpec,
    tokenizer: PreTrainedTokenizerFast,
    template: str,
    image_token: int,
    generation: dict[str, Any],
    folder: Path,
) -> Written:
    """Write weights under their own names, the code that builds their modules, and a processor.

    Args:
        model: model with its encoder, on the CPU.
        spec: specification of the trial that it was built from.
        tokenizer: tokenizer of transformers; it is made to begin every text with its beginning-of-sequence token.
        template: chat template in Jinja (`processor.chat_template`).
        image_token: id of the placeholder of a visual token; the embedding must have a row for it.
        generation: settings of `generate`: ids of special tokens, and ids that stand for no text.
        folder: existing folder that the files are written to.

    Returns:
        What the folder was to be.
    """
    prepend_bos(tokenizer)
    settings = (
        *(text_setting(file.name, file.read_text(encoding="utf-8")) for file in _FILES),
        json_setting("config.json", _config(model, spec, image_token, generation)),
        text_setting("chat_template.jinja", template),
        json_setting("preprocessor_config.json", _image_processor(spec)),
        json_setting("processor_config.json", _processor(spec)),
    )
    tensors = _tensors(model)
    save_torch_state_dict(tensors, folder)
    tokenizer.save_pretrained(folder)
    for setting in settings:
        _write(folder / setting.file, setting.wanted)
    return Written(tensors, settings + tokenizer_settings(tokenizer, type(tokenizer)))


def _tensors(model: VLM) -> dict[str, Tensor]:
    """Collect the weights by name, those of a tied output layer once: as the embeddings that it is."""
    language: Any = model.language
    tied = {f"language.{name}" for name in language.all_tied_weights_keys}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in tied}


def _config(model: VLM, spec: TrialSpec, image_token: int, generation: dict[str, Any]) -> dict[str, Any]:
    language: Any = model.language
    return {
        "model_type": "ablate-vlm",
        "architectures": ["AblateVLM"],
        "auto_map": {"AutoConfig": "modeling_ablate.AblateConfig", "AutoModel": "modeling_ablate.AblateVLM"},
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "text_config": language.config.to_dict(),
        "towers": [_tower(tower) for tower in _towers(model.vision)],
        "tokens": spec.vision.tokens,
        "projector": spec.projector.stack(spec.vision.width, spec.language.width),
        "image_token_index": image_token,
        "generation": generation,
    }


def _image_processor(spec: TrialSpec) -> dict[str, Any]:
    return {
        "image_processor_type": "AblateImageProcessor",
        "auto_map": {"AutoImageProcessor": "processing_ablate.AblateImageProcessor"},
        "towers": [_preprocessing(tower) for tower in spec.vision.towers],
        **_pixels(spec).model_dump(mode="json", include={"ground", "white"}),
    }


def _processor(spec: TrialSpec) -> dict[str, Any]:
    return {
        "processor_class": "AblateProcessor",
        "auto_map": {"AutoProcessor": "processing_ablate.AblateProcessor"},
        "tokens": spec.vision.tokens,
    }


def _write(path: Path, value: str | dict[str, Any]) -> None:
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _towers(vision: nn.Module | None) -> list[Tower]:
    return vision.towers() if isinstance(vision, FusedEncoder) else [vision]  # type: ignore[list-item]


def _tower(tower: Tower) -> dict[str, Any]:
    return {
        "arch": tower.vision.arch,
        "options": tower.vision.options,
        "layer": tower.layer,
        "whole": tower.is_whole,
    }


def _pixels(spec: TrialSpec) -> PixelSpec:
    """Return how the pictures of training became pixels; the default where its sources differ."""
    declared = [part.source.pixels for stage in spec.stages for part in stage.data.parts]
    return declared[0] if all(pixels == declared[0] for pixels in declared) else PixelSpec()


def _preprocessing(vision: VisionSpec) -> dict[str, Any]:
    return {
        "resolution": vision.resolution,
        "resize": vision.resize,
        "mean": list(vision.mean),
        "std": list(vision.std),
    }
