"""Claims about the chat template that an exported processor carries."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from search_spaces.spec import PromptStyle
from tests.support.hub_languages import make_checkpoint
from trainables.export.processor import chat_template
from trainables.model.prompts import END, Segment
from trainables.model.tokenizer import Tokenizer, checkpoint_tokenizer

TURNS = (("What color?", "red"), ("What shape?", "a circle"))


def _text(segments: list[Segment], end: str) -> str:
    return "<image>" + "".join(segment.text for segment in segments).replace(END, end)


def _exported(style: PromptStyle, tokenizer: Tokenizer, turns: list[tuple[str, ...]], end: str) -> str:
    messages: list[dict[str, object]] = []
    for number, turn in enumerate(turns):
        image = [{"type": "image"}] if number == 0 else []
        messages.append({"role": "user", "content": [*image, {"type": "text", "text": turn[0]}]})
        messages += [{"role": "assistant", "content": answer} for answer in turn[1:]]
    return jinja2.Template(chat_template(style, tokenizer)).render(messages=messages, eos_token=end)


@pytest.mark.parametrize(
    ("family", "style"),
    [("llama", "vicuna-v15"), ("llama", "llama2-chat"), ("phi", "phi-2"), ("qwen2", "chatml"), ("qwen2", "template")],
)
def test_it_writes_the_text_that_the_model_was_trained_on(family: str, style: PromptStyle, tmp_path: Path) -> None:
    make_checkpoint(tmp_path, family)
    tokenizer = checkpoint_tokenizer(tmp_path, family, family)
    end = {"llama": "</s>", "phi": "<|endoftext|>", "qwen2": "<|im_end|>"}[family]
    assert _exported(style, tokenizer, list(TURNS), end) == _text(tokenizer.segments(style, TURNS), end)
    prompt = tokenizer.question_segments(style, TURNS[:1], "Why?")
    assert _exported(style, tokenizer, [TURNS[0], ("Why?",)], end) == _text(prompt, end)
