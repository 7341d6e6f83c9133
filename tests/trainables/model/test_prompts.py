"""Every prompt style renders its turns byte for byte as published, and only answers are targets."""

from __future__ import annotations

from typing import get_args

import pytest

from search_spaces.spec import PromptStyle
from trainables.model.prompts import END, STYLES, render, render_question

TURNS = (("q1", "a1"), ("q2", "a2"))
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)
LLAMA = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
PRISMATIC = ("pure", "vicuna-v15", "llama2-chat", "llama2-chat-prismatic", "mistral-instruct", "phi-2")


def _text(style: PromptStyle, turns: tuple[tuple[str, str], ...]) -> str:
    return "".join(segment.text for segment in render(style, turns)).replace(END, "</s>")


def test_every_style_is_rendered_here_or_by_the_checkpoints_own_template() -> None:
    assert {*STYLES, "template"} == set(get_args(PromptStyle))


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("pure", "In: q1\nOut: a1</s>In: q2\nOut: a2</s>"),
        ("vicuna-v15", VICUNA + "USER: q1 ASSISTANT: a1</s>USER: q2 ASSISTANT: a2</s>"),
        ("llama2-chat", f"[INST] <<SYS>>\n{LLAMA}\n<</SYS>>\n\nq1 [/INST] a1</s>[INST] q2 [/INST] a2</s>"),
        ("llama2-chat-prismatic", f"[INST] <<SYS>\n{LLAMA}\n<</SYS>>\n\nq1 [/INST] a1</s>[INST] q2 [/INST] a2</s>"),
        ("mistral-instruct", "[INST] q1 [/INST] a1</s>[INST] q2 [/INST] a2</s>"),
        ("phi-2", "<|endoftext|>Input: q1\nOutput: a1\n<|endoftext|>Input: q2\nOutput: a2\n<|endoftext|>"),
        ("bare", "q1 a1</s>q2 a2</s>"),
        ("caption", "a1</s>a2</s>"),
        (
            "chatml",
            "<|im_start|>user\nq1<|im_end|>\n<|im_start|>assistant\na1<|im_end|>"
            "\n<|im_start|>user\nq2<|im_end|>\n<|im_start|>assistant\na2<|im_end|>",
        ),
    ],
)
def test_two_turns_are_rendered_byte_for_byte_as_published(style: PromptStyle, expected: str) -> None:
    assert _text(style, TURNS) == expected


@pytest.mark.parametrize("style", [*PRISMATIC, "bare", "chatml"])
def test_a_third_turn_is_like_the_second(style: PromptStyle) -> None:
    two, three = _text(style, TURNS), _text(style, (*TURNS, ("q3", "a3")))
    second = two.removeprefix(_text(style, TURNS[:1]))
    assert three == two + second.replace("q2", "q3").replace("a2", "a3")


@pytest.mark.parametrize("style", [*PRISMATIC, "chatml", "bare"])
def test_only_answers_and_their_ends_are_targets(style: PromptStyle) -> None:
    targets = [segment.text.replace(END, "") for segment in render(style, TURNS) if segment.is_target]
    assert [text.lstrip()[:2] for text in targets] == ["a1", "a2"]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("pure", "In: q1\nOut:  </s>"),
        ("vicuna-v15", VICUNA + "USER: q1 ASSISTANT:  </s>"),
        ("mistral-instruct", "[INST] q1 [/INST]  </s>"),
        ("phi-2", "<|endoftext|>Input: q1\nOutput:  \n<|endoftext|>"),
        ("bare", "q1  </s>"),
        ("caption", " </s>"),
    ],
)
def test_an_empty_answer_becomes_one_blank_before_the_end(style: PromptStyle, expected: str) -> None:
    assert _text(style, (("q1", ""),)) == expected


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("pure", "In: q1\nOut: a1</s>In: q2\nOut:"),
        ("vicuna-v15", VICUNA + "USER: q1 ASSISTANT: a1</s>USER: q2 ASSISTANT:"),
        ("llama2-chat", f"[INST] <<SYS>>\n{LLAMA}\n<</SYS>>\n\nq1 [/INST] a1</s>[INST] q2 [/INST]"),
        ("llama2-chat-prismatic", f"[INST] <<SYS>\n{LLAMA}\n<</SYS>>\n\nq1 [/INST] a1</s>[INST] q2 [/INST]"),
        ("mistral-instruct", "[INST] q1 [/INST] a1</s>[INST] q2 [/INST]"),
        ("phi-2", "<|endoftext|>Input: q1\nOutput: a1\n<|endoftext|>Input: q2\nOutput:"),
    ],
)
def test_generation_ends_after_the_last_question_without_white_space(style: PromptStyle, expected: str) -> None:
    prompt = render_question(style, TURNS[:1], "q2")
    assert "".join(segment.text for segment in prompt).replace(END, "</s>") == expected
    assert not any(segment.is_target for segment in prompt)


@pytest.mark.parametrize("style", [*PRISMATIC, "chatml", "bare"])
def test_a_question_is_the_segment_that_stands_before_its_answer_in_training(style: PromptStyle) -> None:
    trained = [segment.text for segment in render(style, TURNS)]
    prompt = [segment.text for segment in render_question(style, TURNS[:1], "q2")]
    assert prompt == trained[:-1]
