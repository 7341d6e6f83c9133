"""Claims about the bare answer in a text, and about protocols whose scorer never saw what their harness cuts."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.benchmarks.contract import Example
from trainables.benchmarks.model_text import END_TOKENS, MODEL_TEXTS, ModelText, bare_answer, cut
from trainables.benchmarks.registry import BENCHMARKS


def test_every_way_from_model_to_scorer_is_there() -> None:
    assert set(MODEL_TEXTS) == set(get_args(ModelText))


@pytest.mark.parametrize(
    "framed",
    [
        *(" yes", "yes\n", "\tyes", "\u00a0yes", "yes.", "yes\u3002", '"yes"', "'yes'", "\u201cyes\u201d", "`yes`"),
        *("**yes**", "*yes*", "__yes__", "**yes.**", "Answer: yes", "answer is yes"),
        *("The answer is: yes.", "Final answer: **yes**", "<think>no, or? </think>yes", "hm</think>\n\nyes"),
        *("<answer>yes</answer>", "\\boxed{yes}", "$\\boxed{\\text{yes}}$", "<s> yes</s>", "<pad><pad>yes"),
        *(f"yes{token}" for token in END_TOKENS),
        *(f"yes {token}\nUSER: no" for token in END_TOKENS),
        *(f"{token}yes" for token in END_TOKENS),
    ],
)
def test_frames_of_an_answer_come_off(framed: str) -> None:
    assert bare_answer(framed) == "yes"


@pytest.mark.parametrize(
    "text", ["U.S.A", "...", ".", '"', "a < b", "2 * 3", '"a" and "b"', "it's", "the answer", "answered yes", "*"]
)
def test_what_is_no_frame_stays(text: str) -> None:
    assert bare_answer(text) == text


def test_a_thought_that_never_ends_holds_no_answer() -> None:
    assert cut("<think>it may be yes") == bare_answer("<think>yes") == ""


@given(text=st.text(max_size=40))
def test_the_bare_answer_is_bare(text: str) -> None:
    assert bare_answer(bare_answer(text)) == bare_answer(text)


FIRST = [
    (name, protocol)
    for name, benchmark in BENCHMARKS.items()
    for protocol, definition in benchmark.protocols.items()
    if definition.version == 1
]
"""Protocols whose numbers did not change when their harness's cut came between model and scorer."""


@pytest.mark.parametrize(("name", "protocol"), FIRST)
@settings(max_examples=60, deadline=None)
@given(
    text=st.text(alphabet="yYesnNo01abAB .,!?[]'\n", max_size=12),
    before=st.sampled_from(["", " ", "\n", " \n ", "\u00a0"]),
    after=st.sampled_from(["", " ", "\n", "\t", "\u00a0\n"]),
)
def test_protocols_of_the_first_version_cut_white_space_themselves(
    name: str, protocol: str, text: str, before: str, after: str
) -> None:
    definition, reference = BENCHMARKS[name].protocols[protocol], ["yes", "no", *["a"] * 8]
    target = {"box": [0, 0, 1, 1], "size": [2, 2], "answer": "yes", "answers": reference}
    plain = Example("1", "1", None, "?", options=("a", "b"), reference=reference if name in LISTS else target)
    handed_over = MODEL_TEXTS[definition.model_text](f"{before}{text}{after}")
    assert definition.parse(f"{before}{text}{after}", plain) == definition.parse(handed_over, plain)


LISTS = ("vqav2", "vizwiz")
