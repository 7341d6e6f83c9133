"""A row of several records has the loss, the gradients and the dropout of these records one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from search_spaces.packed_rows import FAMILIES_WITH_ROWS
from search_spaces.spec import LanguageSpec, LoraSpec
from tests.support.hub_languages import FAMILIES, hub_language
from tests.support.tiny_specs import language
from tests.support.tiny_trials import make_task
from trainables.model.dropout import record_draws
from trainables.model.lora import add_lora
from trainables.model.packed_batch import PackedBatch, Text, pack_row
from trainables.model.tokenizer import IGNORE
from trainables.model.vlm import VLM, Batch, build_modules, module
from trainables.storage.store import LocalStore
from trainables.trial_data import TrialData, pad

V = 4
RECORDS = [(9, True), (3, False), (1, True), (17, True), (0, True), (12, False), (2, False)]
"""Tokens of a text, and whether the record has an image. None: it is cut off whole."""


def _texts(records: list[tuple[int, bool]] = RECORDS) -> list[Text]:
    random = np.random.default_rng(0)
    draws = record_draws(7, "finetune", 0, range(len(records))).tolist()
    texts = []
    for (length, has_image), draw in zip(records, draws, strict=True):
        ids = random.integers(4, 200, length)
        labels = np.where(random.random(length) < 0.6, ids, IGNORE)
        texts.append(Text(ids, labels, has_image, draw))
    return texts


def _alone(text: Text, image_CHW: torch.Tensor | None) -> Batch:
    """One record as a batch of its own."""
    ids_BT, labels_BT, mask_BT = pad([text.ids], [text.labels], 0)
    images = None if image_CHW is None else image_CHW[None]
    return Batch(ids_BT, labels_BT, mask_BT, images, None, torch.tensor([text.draw]))


def _both(model: VLM, texts: list[Text]) -> tuple[PackedBatch, list[Batch]]:
    torch.manual_seed(0)
    image_KCHW = torch.randn(sum(text.has_image for text in texts), 3, 64, 64, dtype=torch.float64)
    images = iter(image_KCHW)
    alone = [_alone(text, next(images) if text.has_image else None) for text in texts]
    return pack_row(texts, model.bos, V, image_KCHW if len(image_KCHW) else None, None), alone


def _gradients(model: VLM, batches: list[PackedBatch] | list[Batch]) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    losses = []
    for batch in batches:
        loss = model(batch)
        loss.backward()
        losses.append(float(loss.detach()))
    return sum(losses), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def _assert_equal(model: VLM, texts: list[Text]) -> None:
    packed, alone = _both(model, texts)
    loss, gradients = _gradients(model, [packed])
    expected, by_record = _gradients(model, alone)
    assert loss == pytest.approx(expected, rel=1e-6)
    assert gradients.keys() == by_record.keys()
    for name, gradient in gradients.items():
        assert float((gradient - by_record[name]).norm()) <= 1e-6 * float(by_record[name].norm()), name


def _model(folder: Path, spec: LanguageSpec, lora: LoraSpec | None = None) -> VLM:
    """Build a model as it trains, but in fp64, which leaves no error of sums in another order to be told from others.

    Its encoder is as in evaluation: batch norm takes its statistics over all images of a pass.
    """
    task = make_task(folder, language_spec=spec, cached=False, benchmarks=())
    tokenizer = TrialData(task, LocalStore(folder)).tokenizer
    model = build_modules(task.trial, tokenizer, folder, with_vision=True).train()
    module(model, "vision").eval()
    if lora is not None:
        add_lora(model.language, lora, 7, "finetune", model.draws)
    return model.double()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_has_the_loss_and_the_gradients_of_its_records(family: str, tmp_path: Path) -> None:
    """Through encoder, projector and language model, also with a sliding window that is shorter than a record."""
    _assert_equal(_model(tmp_path, hub_language(tmp_path, family)), _texts())


def test_every_family_that_may_have_rows_is_tried_here() -> None:
    assert set(FAMILIES) == FAMILIES_WITH_ROWS


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kernel_is_told_where_the_records_of_a_row_begin(family: str, tmp_path: Path) -> None:
    """By positions, of which flash attention takes its sequences: no such kernel runs on a CPU."""
    told: list[torch.Tensor | None] = []

    def attention(*given: Any, position_ids: torch.Tensor | None = None, **named: Any) -> Any:
        told.append(position_ids)
        return sdpa_attention_forward(*given, position_ids=position_ids, **named)

    AttentionInterface.register("watched", attention)
    AttentionMaskInterface.register("watched", sdpa_mask)
    model = _model(tmp_path, hub_language(tmp_path, family))
    model.language.set_attn_implementation("watched")
    packed, _ = _both(model, _texts())
    model(packed)
    assert told
    assert all(positions is not None and torch.equal(positions[0], packed.positions_L) for positions in told)


@pytest.mark.parametrize("records", [[(5, True)], [(5, False), (4, False)], [(0, False), (6, True)]])
def test_it_holds_for_any_mix_of_records(records: list[tuple[int, bool]], tmp_path: Path) -> None:
    _assert_equal(_model(tmp_path, language()), _texts(records))


def test_dropout_follows_records_also_in_a_row(tmp_path: Path) -> None:
    lora = LoraSpec(rank=2, alpha=4, dropout=0.4)
    model = _model(tmp_path, language(), lora)
    with torch.no_grad():
        for name, parameter in model.language.named_parameters():
            if "lora" in name:
                parameter.copy_(torch.randn_like(parameter) / 3)
    texts = _texts()
    _assert_equal(model, texts)
    packed, _ = _both(model, texts)
    others, _ = _both(model, [text._replace(draw=text.draw + 1) for text in texts])
    with torch.no_grad():
        assert float(model(packed)) != float(model(others))


def test_a_row_without_records_has_no_loss_and_a_gradient_of_zero_everywhere(tmp_path: Path) -> None:
    """A rank without rows takes part in every collective."""
    model = _model(tmp_path, language())
    loss, gradients = _gradients(model, [pack_row([], model.bos, V, None, None)])
    assert loss == 0
    of_rest = {name for name, _ in model.named_parameters() if not name.startswith("vision")}
    assert of_rest <= gradients.keys()
    assert all(float(gradient.abs().max()) == 0 for gradient in gradients.values())


def test_cached_features_stand_for_images(tmp_path: Path) -> None:
    model, texts = _model(tmp_path, language()), _texts()
    packed, _ = _both(model, texts)
    assert packed.image_KCHW is not None
    with torch.no_grad():
        features = module(model, "vision")(packed.image_KCHW)
        assert float(model(pack_row(texts, model.bos, V, None, features))) == pytest.approx(float(model(packed)))
