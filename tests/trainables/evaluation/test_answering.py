"""Claims about a model that answers: batches, shared images and caches leave its answers as they are one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces import question_memory
from search_spaces.question_memory import bytes_per_position
from search_spaces.sizes import LanguageShape
from tests.support.tiny_specs import language
from tests.support.tiny_trials import make_task
from trainables.evaluation.answering import Answerer, Images
from trainables.model.tokenizer import byte_tokenizer
from trainables.model.vlm import VLM, build_modules

PROMPTS = [[40, 41, 42, 43, 44, 45, 46], [50, 51], [60, 61, 62, 63], [70]]
OF_PROMPT = [1, 0, 1, 2]
OPTIONS = [[[80, 2], [81, 82, 2], [81, 83, 84, 85, 2]], [[90, 91, 2], [90, 92, 2]], [[80, 2]], [[81, 82, 2], [7, 2]]]
END = 2


@pytest.fixture(params=["llama", "mistral", "phi"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> VLM:
    spec = make_task(tmp_path, language_spec=language(family=request.param)).trial
    return build_modules(spec, byte_tokenizer(), tmp_path, with_vision=False).eval()


@pytest.fixture
def features_UPC() -> torch.Tensor:  # tensors carry their shape
    return torch.randn(3, 4, 256, generator=torch.Generator().manual_seed(0))


def _answerer(model: VLM) -> Answerer:
    return Answerer(model, pad=0, end=END, device="cpu", dtype=torch.float32)


def _logits(model: VLM, features_PC: torch.Tensor | None, ids: list[int]) -> torch.Tensor:
    """Compute the logits of every position of `[BOS] [image] [ids]`, read at once and without a cache."""
    part: Any = model
    embed = part.language.get_input_embeddings()
    parts = [embed(torch.tensor([1]))]
    if features_PC is not None:
        parts.append(part.projector(features_PC))
    read = torch.cat([*parts, embed(torch.tensor(ids))])[None]
    logits: torch.Tensor = part.language(inputs_embeds=read, use_cache=False).logits[0]
    return logits


def _log_prob(model: VLM, features_PC: torch.Tensor | None, prompt: list[int], option: list[int]) -> float:
    log_probs = _logits(model, features_PC, prompt + option).log_softmax(-1)
    begin = len(log_probs) - len(option) - 1
    return sum(float(log_probs[begin + i, token]) for i, token in enumerate(option))


def _greedy(model: VLM, features_PC: torch.Tensor | None, prompt: list[int], most: int) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < most:
        token = int(_logits(model, features_PC, prompt + tokens)[-1].argmax())
        if token == END:
            break
        tokens.append(token)
    return tokens


def test_positions_are_bounded_by_the_bytes_that_the_planner_counts(
    model: VLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: Any = model.language.config
    shape = LanguageShape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        mlp=config.intermediate_size,
        vocabulary=config.vocab_size,
    )
    counted = bytes_per_position(config.hidden_size, shape, number=4)
    monkeypatch.setattr(question_memory, "CACHE_BYTES", 1000 * counted)
    assert _answerer(model).most_positions == 1000


def test_prompts_of_one_length_are_answered_as_each_by_itself_within_a_short_window(
    tmp_path: Path, features_UPC: torch.Tensor
) -> None:
    base = language(family="mistral")
    windowed = base.model_copy(update={"config": {**base.config, "sliding_window": 6}})
    model = build_modules(
        make_task(tmp_path, language_spec=windowed).trial, byte_tokenizer(), tmp_path, with_vision=False
    ).eval()
    answerer, prompts = _answerer(model), [[40, 41, 42, 43], [50, 51, 52, 53], [60, 61, 62, 63], [70, 71, 72, 73]]
    assert (answerer.window, _answerer_of_all(tmp_path).window) == (6, None)
    written = answerer.generate(prompts, Images(features_UPC, OF_PROMPT), 7)
    ranked = answerer.rank_options(prompts, Images(features_UPC, OF_PROMPT), OPTIONS)
    with torch.inference_mode():
        for prompt, image, answer, options, scores in zip(prompts, OF_PROMPT, written, OPTIONS, ranked, strict=True):
            assert answer == _greedy(model, features_UPC[image], prompt, 7)
            assert scores == pytest.approx(
                [_log_prob(model, features_UPC[image], prompt, o) for o in options], abs=1e-4
            )


def _answerer_of_all(folder: Path) -> Answerer:
    return _answerer(build_modules(make_task(folder).trial, byte_tokenizer(), folder, with_vision=False).eval())


@pytest.mark.parametrize("has_image", [True, False])
def test_options_have_the_likelihood_that_each_has_by_itself(
    model: VLM, features_UPC: torch.Tensor, has_image: bool
) -> None:
    images = Images(features_UPC, OF_PROMPT) if has_image else None
    ranked = _answerer(model).rank_options(PROMPTS, images, OPTIONS)
    with torch.inference_mode():
        for prompt, image, options, scores in zip(PROMPTS, OF_PROMPT, OPTIONS, ranked, strict=True):
            features_PC = features_UPC[image] if has_image else None
            assert scores == pytest.approx([_log_prob(model, features_PC, prompt, o) for o in options], abs=1e-4)


def test_first_tokens_have_the_likelihood_that_each_has_by_itself(model: VLM, features_UPC: torch.Tensor) -> None:
    ranked = _answerer(model).rank_first_tokens(PROMPTS, Images(features_UPC, OF_PROMPT), OPTIONS)
    with torch.inference_mode():
        for prompt, image, options, scores in zip(PROMPTS, OF_PROMPT, OPTIONS, ranked, strict=True):
            alone = [_log_prob(model, features_UPC[image], prompt, option[:1]) for option in options]
            assert scores == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("has_image", [True, False])
def test_generated_tokens_are_those_of_reading_everything_again(
    model: VLM, features_UPC: torch.Tensor, has_image: bool
) -> None:
    images = Images(features_UPC, OF_PROMPT) if has_image else None
    answers = _answerer(model).generate(PROMPTS, images, 9)
    with torch.inference_mode():
        expected = [
            _greedy(model, features_UPC[image] if has_image else None, prompt, 9)
            for prompt, image in zip(PROMPTS, OF_PROMPT, strict=True)
        ]
    assert answers == expected


def test_answers_are_the_same_whoever_makes_the_masks_of_attention(model: VLM, features_UPC: torch.Tensor) -> None:
    language: Any = model.language
    images = Images(features_UPC, OF_PROMPT)
    answerer = _answerer(model)
    answers, ranked = answerer.generate(PROMPTS, images, 9), answerer.rank_options(PROMPTS, images, OPTIONS)
    language.set_attn_implementation("eager")
    eager = _answerer(model)
    assert eager.generate(PROMPTS, images, 9) == answers
    for own, other in zip(eager.rank_options(PROMPTS, images, OPTIONS), ranked, strict=True):
        assert own == pytest.approx(other, abs=1e-5)


def test_answers_end_before_the_end_token_and_others_go_on(model: VLM, features_UPC: torch.Tensor) -> None:
    """Take a token that some prompt has generated fourth as the end token."""
    plain = _answerer(model).generate(PROMPTS, Images(features_UPC, OF_PROMPT), 9)
    stops = {answer[3] for answer in plain[:3]}
    ends_early = Answerer(model, pad=0, end=next(iter(stops)), device="cpu", dtype=torch.float32)
    answers = ends_early.generate(PROMPTS, Images(features_UPC, OF_PROMPT), 9)
    for answer, whole in zip(answers, plain, strict=True):
        end = next(iter(stops))
        assert answer == whole[: whole.index(end)] if end in whole else whole
