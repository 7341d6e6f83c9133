"""`[BOS] [image] [text]`, labels and masks against slow implementations: one record at a time, without padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from search_spaces.spec import LanguageSpec, MixPart, MixSpec
from tests.support.hub_languages import hub_language
from tests.support.tiny_specs import language, source, stage
from tests.support.tiny_trials import make_task, run
from trainables.model.tokenizer import IGNORE, byte_tokenizer
from trainables.model.vlm import VLM, Batch, build_modules
from trainables.storage.store import LocalStore
from trainables.trial_data import StageData, TrialData, pad

MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))

PUBLISHED = {
    "pure": ("", "In: {q}\nOut: ", "{a}$"),
    "mistral-instruct": ("", "[INST] {q} [/INST] ", "{a}$"),
    "vicuna-v15": (
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed,"
        " and polite answers to the user's questions. ",
        "USER: {q} ASSISTANT: ",
        "{a}$",
    ),
    "chatml": ("", "<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n", "{a}<|im_end|>"),
    "caption": ("", "", "{a}$"),
    "bare": ("", "{q} ", "{a}$"),
}
"""Style -> (before the first turn, question's side, answer's side); `$` is the end token."""

CONVERSATIONS = [
    (("what?", "red"),),
    (("what?", "red"), ("which shape?", "a circle")),
    (("a", "b"), ("c", "d"), ("e", "f")),
    (("nothing", ""),),
]


def _slow_text(style: str, turns: tuple[tuple[str, str], ...], limit: int) -> tuple[list[int], list[int]]:
    """Ids (a byte b is b + 4, the end is 2) and labels, character by character; blanks before an answer are its own."""
    system, question, answer = PUBLISHED[style]
    marked: list[tuple[str, bool]] = [(character, False) for character in system]
    for number, (q, a) in enumerate(turns):
        before = ("\n" if style == "chatml" and number else "") + question.format(q=q)
        blank = before.endswith(" ") and style != "bare"
        marked += [(character, False) for character in (before[:-1] if blank else before)]
        marked += [(character, True) for character in (" " if blank else "") + answer.format(a=a or " ")]
    ids = [2 if character == "$" else ord(character) + 4 for character, _ in marked][:limit]
    return ids, [token if target else IGNORE for token, (_, target) in zip(ids, marked, strict=False)]


@pytest.mark.parametrize("style", PUBLISHED)
@pytest.mark.parametrize("turns", CONVERSATIONS)
@pytest.mark.parametrize("limit", [5, 40, 1000])
def test_ids_and_labels_are_those_of_the_slow_implementation(
    style: str, turns: tuple[tuple[str, str], ...], limit: int
) -> None:
    ids, labels = byte_tokenizer().encode_turns(style, turns, limit)  # type: ignore[arg-type]
    assert (ids.tolist(), labels.tolist()) == _slow_text(style, turns, limit)


def test_padding_is_on_the_right_masked_and_never_a_target() -> None:
    texts = [byte_tokenizer().encode_turns("pure", turns, 60) for turns in CONVERSATIONS]
    ids_BT, labels_BT, mask_BT = pad([ids for ids, _ in texts], [labels for _, labels in texts], pad_id=0)
    for row, (ids, labels) in enumerate(texts):
        width, rest = len(ids), ids_BT.shape[1] - len(ids)
        assert ids_BT[row].tolist() == [*ids.tolist(), *[0] * rest]
        assert labels_BT[row].tolist() == [*labels.tolist(), *[IGNORE] * rest]
        assert mask_BT[row].tolist() == [1] * width + [0] * rest


def _slow_loss(model: VLM, bos: int, ids: list[int], labels: list[int], features_PC: Tensor | None) -> float:
    """One record without padding and without a mask, through the language model's own logits."""
    embed = model.language.get_input_embeddings()
    parts = [embed(torch.tensor([bos]))]
    known: list[int] = [IGNORE]
    if features_PC is not None:
        parts.append(model.projector(features_PC))
        known += [IGNORE] * len(features_PC)
    parts.append(embed(torch.tensor(ids, dtype=torch.long)))
    known += labels
    logits = model.language(inputs_embeds=torch.cat(parts)[None], use_cache=False).logits[0].double()
    total = 0.0
    for position, label in enumerate(known[1:]):
        if label != IGNORE:
            total += float(torch.logsumexp(logits[position], 0) - logits[position, label])
    return total


def _languages(folder: Path) -> dict[str, LanguageSpec]:
    made = {
        family: hub_language(folder, family, max_length=64)
        for family in ("llama", "mistral", "phi", "gpt_neox", "qwen2")
    }
    wide = hub_language(folder, "mistral", model="tiny/wide", options={"sliding_window": None}, max_length=64)
    return {**made, "mistral without a window": wide, "bytes": language(max_length=64)}


@pytest.mark.parametrize("style", ["pure", "vicuna-v15", "caption", "phi-2"])
@pytest.mark.parametrize("name", ["llama", "mistral", "mistral without a window", "phi", "gpt_neox", "qwen2", "bytes"])
def test_the_loss_of_a_grouped_padded_batch_is_that_of_its_records_one_by_one(
    name: str, style: str, tmp_path: Path
) -> None:
    spec = _languages(tmp_path)[name].model_copy(update={"prompt": style})
    task = make_task(tmp_path, language_spec=spec, stages=(stage(data=MIXED, max_steps=4),))
    # features of this test's own: the encoder is not what is looked at
    data = TrialData(task, LocalStore(tmp_path))
    stage_data = StageData(data, task, task.trial.stages[0], use_features=False)
    model = build_modules(task.trial, data.tokenizer, tmp_path, with_vision=False).eval()
    features_RPC = torch.randn(40, 4, 256, generator=torch.Generator().manual_seed(3))
    seen = set()
    for step in range(3):
        rows = [int(row) for row in stage_data.plan.batch(step)]
        (whole,) = stage_data.step(step, 0, 1, 8).batches
        real = [row for row in rows if row >= 0]
        has_image = whole.image_BCHW is not None
        seen.add(has_image)
        features = features_RPC[[max(row, 0) for row in rows]] if has_image else None
        batch = Batch(whole.ids_BT, whole.labels_BT, whole.mask_BT, None, features)
        expected, targets = 0.0, 0
        for position, row in enumerate(rows):
            if row < 0:
                continue
            source_number, record = stage_data.mix.source[row], int(stage_data.mix.row[row])
            turns = stage_data.mix.sources[source_number].turns(record)
            ids, labels = data.tokenizer.encode_turns(style, turns, 64)  # type: ignore[arg-type]
            own = features[position] if features is not None else None
            with torch.inference_mode():
                expected += _slow_loss(model, data.tokenizer.bos, ids.tolist(), labels.tolist(), own)
            targets += int((labels != IGNORE).sum())
        with torch.inference_mode():
            assert abs(float(model(batch)) - expected) / max(targets, 1) < 1e-6
        assert len(real) > 0
    assert seen == {True, False}


def test_a_sliding_window_changes_what_is_seen(tmp_path: Path) -> None:
    """Two checkpoints with equal weights, one with a window of 8: their losses differ, so the window is really on."""
    losses = []
    for name in ("mistral", "mistral without a window"):
        task = make_task(tmp_path, language_spec=_languages(tmp_path)[name])
        data = TrialData(task, LocalStore(tmp_path))
        model = build_modules(task.trial, data.tokenizer, tmp_path, with_vision=False).eval()
        texts = [data.tokenizer.encode_turns("pure", CONVERSATIONS[2], 64)]
        with torch.inference_mode():
            losses.append(float(model(Batch(*pad([texts[0][0]], [texts[0][1]], 0)))))
    assert abs(losses[0] - losses[1]) > 1e-3


@pytest.mark.parametrize("family", ["llama", "mistral", "phi", "gpt_neox", "qwen2"])
def test_no_key_value_cache_is_made_in_training(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[Any] = []

    def watched(*arguments: Any, **options: Any) -> VLM:
        model = build_modules(*arguments, **options)
        model.language.base_model.register_forward_hook(lambda module, given, output: outputs.append(output))
        assert model.language.config.use_cache is False
        return model

    monkeypatch.setattr("trainables.training.stage_engine.build_modules", watched)
    run(make_task(tmp_path, language_spec=hub_language(tmp_path, family), stages=(stage(max_steps=1),)))
    assert outputs
    assert all(output.past_key_values is None for output in outputs)
