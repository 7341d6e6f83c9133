"""Assemble the vision-language model: `[BOS] [image] [text]` over the language model's input embeddings.

Shapes: B records, T text tokens (without BOS), P feature positions of the grid, V visual tokens, C feature width,
D embedding width, L = 1 + V + T positions (1 + T in a batch without images).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.spec import Module, TrialSpec
from trainables.model.cross_entropy import summed_cross_entropy
from trainables.model.dropout import Draws, replace_dropout
from trainables.model.language import build_language, logits_of_head
from trainables.model.moved_batch import MovedBatch
from trainables.model.packed_batch import PackedBatch
from trainables.model.projector import build_projector
from trainables.model.tokenizer import IGNORE, Tokenizer
from trainables.model.vision import VisionEncoder, build_vision


@dataclass(frozen=True)
class Batch(MovedBatch):
    """Batch of records of one modality: all have an image or none has.

    `features_BPC` are the encoder's cached output; where they are None, `image_BCHW` goes through the encoder. Both are
    None in a batch of text-only records.
    """

    ids_BT: Tensor
    labels_BT: Tensor
    mask_BT: Tensor
    image_BCHW: Tensor | None = None
    features_BPC: Tensor | None = None
    draws_B: Tensor | None = None
    """Seeds of the records' dropout (`dropout.record_draws`); not needed outside training."""


class VLM(nn.Module):
    """Vision-language model: vision encoder, projector and language model.

    `vision` is None where all images come as cached features.
    """

    def __init__(self, spec: TrialSpec, vision: nn.Module | None, projector: nn.Module, language: nn.Module, bos: int):
        super().__init__()
        self.vision = vision
        self.projector = projector
        self.language = language
        self._tokens = spec.vision.tokens
        self._width = spec.vision.width
        self.bos = bos
        self._logits = logits_of_head(language)
        self.draws = Draws()
        replace_dropout(language, self.draws)

    def forward(self, batch: Batch | PackedBatch) -> Tensor:
        """Compute the sum of the cross entropy over the batch's target tokens, in fp32: the caller normalises."""
        match batch:
            case Batch():
                hidden_ND, targets_N = self._predictions(batch)
            case PackedBatch():
                hidden_ND, targets_N = self._packed_predictions(batch), batch.targets_N
            case _:
                assert_never(batch)
        return summed_cross_entropy(self.head(hidden_ND), targets_N)

    def _predictions(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute the hidden states that predict the target tokens, N x D, and these tokens."""
        self.draws.seeds_B, self.draws.positions_BL = batch.draws_B, None
        hidden_BLD, images = self._hidden(batch)
        # Position i predicts token i + 1; text token t stands at position 1 + images + t and is predicted one before.
        text_BTD = hidden_BLD[:, images : images + batch.ids_BT.shape[1]]
        is_target_BT = batch.labels_BT != IGNORE
        return text_BTD[is_target_BT], batch.labels_BT[is_target_BT]

    def _packed_predictions(self, batch: PackedBatch) -> Tensor:
        """Compute the hidden states that predict the row's target tokens, N x D."""
        self.draws.seeds_B, self.draws.positions_BL = batch.draws_L[None], batch.positions_L[None]
        embedded_LD = self.language.get_input_embeddings()(batch.ids_L)  # type: ignore[operator]
        visual_KVD = self._visual(batch.image_KCHW, batch.features_KPC)
        if visual_KVD is None:
            inputs_LD = embedded_LD + self._zero_through_projector(embedded_LD)
        else:
            inputs_LD = embedded_LD.index_copy(0, batch.visual_S, visual_KVD.flatten(0, 1).to(embedded_LD.dtype))
        output = self.language.base_model(  # type: ignore[operator]
            inputs_embeds=inputs_LD[None], position_ids=batch.positions_L[None], use_cache=False
        )
        return output.last_hidden_state[0, batch.predicting_N]  # type: ignore[no-any-return]

    def _hidden(self, batch: Batch) -> tuple[Tensor, int]:
        """Compute the last hidden states, B x L x D, and the number of visual tokens V (0 without images)."""
        embed = self.language.get_input_embeddings()  # type: ignore[operator]
        bos_B1 = torch.full_like(batch.ids_BT[:, :1], self.bos)
        embedded = embed(torch.cat([bos_B1, batch.ids_BT], dim=1))
        image_BVD = self._visual(batch.image_BCHW, batch.features_BPC)
        if image_BVD is None:
            inputs_BLD, images = embedded + self._zero_through_projector(embedded), 0
            mask_BL = torch.cat([torch.ones_like(bos_B1), batch.mask_BT], dim=1)
        else:
            images = image_BVD.shape[1]
            inputs_BLD = torch.cat([embedded[:, :1], image_BVD.to(embedded.dtype), embedded[:, 1:]], dim=1)
            seen = torch.ones(len(bos_B1), 1 + images, dtype=batch.mask_BT.dtype, device=batch.mask_BT.device)
            mask_BL = torch.cat([seen, batch.mask_BT], dim=1)
        output = self.language.base_model(inputs_embeds=inputs_BLD, attention_mask=mask_BL, use_cache=False)  # type: ignore[operator]
        return output.last_hidden_state, images

    def _zero_through_projector(self, like: Tensor) -> Tensor:
        """Compute a zero that depends on every parameter that images go through.

        Each trained one must have a gradient in every step: otherwise ZeRO's collectives do not match, and ZeRO-3 takes
        the gradient of an earlier step. Frozen ones are gathered by ZeRO-3, on all ranks or on none.
        """
        features_BPC = like.new_zeros(1, 1, self._width)
        if isinstance(self.vision, VisionEncoder) and torch.is_grad_enabled():
            features_BPC = self.vision(self.vision.blank_image(like))
        return self.projector(features_BPC).sum() * 0.0  # type: ignore[no-any-return]

    def _visual(self, image_BCHW: Tensor | None, features_BPC: Tensor | None) -> Tensor | None:
        """Compute the visual tokens of a batch, of its features if it has them; None of a batch without images."""
        if features_BPC is None:
            if image_BCHW is None:
                return None
            if self.vision is None:
                raise ValueError("this model was built without its encoder: batches must bring features")
            features_BPC = self.vision(image_BCHW)
        return self.visual_tokens(features_BPC)

    def visual_tokens(self, features_BPC: Tensor) -> Tensor:
        """Compute the visual tokens of images, B x V x D, from their features."""
        return self.projector(pool(features_BPC, self._tokens))  # type: ignore[no-any-return]

    def head(self, hidden: Tensor) -> Tensor:
        """Compute the logits of the next token from last hidden states of any leading shape."""
        return self._logits(self.language.get_output_embeddings()(hidden))  # type: ignore[operator]


def pool(features_BPC: Tensor, tokens: int) -> Tensor:
    """Average-pool a square grid of features to `tokens`, itself a square number: B x tokens x C."""
    positions = features_BPC.shape[1]
    if tokens == positions:
        return features_BPC
    side, pooled = round(positions**0.5), round(tokens**0.5)
    grid_BCHW = features_BPC.transpose(1, 2).reshape(len(features_BPC), -1, side, side)
    return F.adaptive_avg_pool2d(grid_BCHW, pooled).flatten(2).transpose(1, 2)


def build_modules(
    spec: TrialSpec,
    tokenizer: Tokenizer,
    data_root: Path,
    with_vision: bool,
    stored: Collection[str] = (),
    dtype: torch.dtype = torch.float32,
) -> VLM:
    """Build the whole model as a trial starts with it, on the CPU.

    Args:
        spec: specification of the trial.
        tokenizer: tokenizer of its language model.
        data_root: folder that declared origins of weights are relative to.
        with_vision: whether the vision encoder is built; not needed where all images come as cached features.
        stored: modules that are loaded from storage next; the language model's parameters are then left without values.
        dtype: type that weights are cast to next; a language model's checkpoint is read in it, all else is fp32.
    """
    vision = build_vision(spec.vision, spec.draws.init, data_root) if with_vision else None
    projector = build_projector(spec.projector, spec.vision.width, spec.language.width, spec.draws.init)
    is_empty = "language" in stored
    language = build_language(spec.language, tokenizer.size, spec.draws.init, data_root, is_empty, dtype)
    return VLM(spec, vision, projector, language, tokenizer.bos)


def assemble(spec: TrialSpec, parts: Mapping[str, nn.Module], tokenizer: Tokenizer) -> VLM:
    """Assemble a model from existing modules.

    Args:
        spec: specification of the trial.
        parts: modules by the names of `VLM.named_children`; `vision` may be absent.
        tokenizer: tokenizer of the language model.
    """
    return VLM(spec, parts.get("vision"), parts["projector"], parts["language"], tokenizer.bos)


def cast_statistics(model: VLM, precision: torch.dtype) -> None:
    """Cast the encoder's running statistics (batch norm) to the precision of its weights, as torch requires.

    Other buffers, such as rotary tables, stay in fp32.
    """
    for buffer in model.vision.buffers() if model.vision is not None else ():
        if buffer.is_floating_point():
            buffer.data = buffer.data.to(precision)


def module(model: VLM, name: Module) -> nn.Module:
    """Return one of the model's three modules. Raises ValueError for a vision encoder that was not built."""
    part = getattr(model, name)
    if part is None:
        raise ValueError(f"this model was built without its {name}")
    return part  # type: ignore[no-any-return]
