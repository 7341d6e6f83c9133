"""Export a trained model of any build with its own model code: transformers loads it with `trust_remote_code`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import save_torch_state_dict
from torch import nn
from transformers import PreTrainedTokenizerFast

from search_spaces.spec import PixelSpec, TrialSpec, VisionSpec
from trainables.export import own_code
from trainables.export.processor import prepend_bos
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
) -> None:
    """Write weights under their own names, the code that builds their modules, and a processor.

    Args:
        model: model with its encoder, on the CPU.
        spec: specification of the trial that it was built from.
        tokenizer: tokenizer of transformers; it is made to begin every text with its beginning-of-sequence token.
        template: chat template in Jinja (`processor.chat_template`).
        image_token: id of the placeholder of a visual token; the embedding must have a row for it.
        generation: settings of `generate`: ids of special tokens, and ids that stand for no text.
        folder: existing folder that the files are written to.
    """
    language: Any = model.language
    for file in _FILES:
        shutil.copyfile(file, folder / file.name)
    save_torch_state_dict(dict(model.state_dict()), folder)
    _write(
        folder / "config.json",
        {
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
        },
    )
    prepend_bos(tokenizer)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(template)
    _write(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "AblateImageProcessor",
            "auto_map": {"AutoImageProcessor": "processing_ablate.AblateImageProcessor"},
            "towers": [_preprocessing(tower) for tower in spec.vision.towers],
            **_pixels(spec).model_dump(mode="json", include={"ground", "white"}),
        },
    )
    _write(
        folder / "processor_config.json",
        {
            "processor_class": "AblateProcessor",
            "auto_map": {"AutoProcessor": "processing_ablate.AblateProcessor"},
            "tokens": spec.vision.tokens,
        },
    )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


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
