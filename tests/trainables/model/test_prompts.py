from __future__ import annotations

import pytest

from search_spaces.spec import PromptStyle
from trainables.model.prompts import END, render, render_question

TURNS = (("q1", "a1"), ("q2", "a2"))
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)
LLAMA = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)


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
    ],
)
def test_two_turns_are_rendered_byte_for_byte_as_published(style: PromptStyle, expected: str) -> None:
    assert "".join(segment.text for segment in render(style, TURNS)).replace(END, "</s>") == expected


@pytest.mark.parametrize("style", ["pure", "vicuna-v15", "chatml", "phi-2", "bare"])
def test_only_answers_and_their_ends_are_targets(style: PromptStyle) -> None:
    targets = [segment.text.replace(END, "") for segment in render(style, TURNS) if segment.is_target]
    assert [text[:2] for text in targets] == ["a1", "a2"]


def test_an_empty_answer_becomes_a_blank_before_the_end() -> None:
    assert render("pure", (("q", ""),))[-1].text == f" {END}"


def test_a_question_ends_where_the_answer_of_training_begins() -> None:
    for style in ("pure", "vicuna-v15", "chatml", "mistral-instruct"):
        trained = "".join(segment.text for segment in render(style, (("q", "ANSWER"),)))  # type: ignore[arg-type]
        asked = "".join(segment.text for segment in render_question(style, (), "q"))  # type: ignore[arg-type]
        assert trained.split("ANSWER")[0] == asked
