"""Conversations are read in the forms that people write them, or refused for what has no plain meaning."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainables.data.formats.test_json_stream import JSON
from trainables.data.formats.conversations import read_record
from trainables.data.refused import RecordError

TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
CHAT = [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "a"}]
PART = {"type": "text", "text": "q"}
SHOWN = [{"from": "human", "value": "<image>\nq"}, TALK[1]]


def _asked(question: str, answer: Any = "a") -> list[dict[str, Any]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def _chat(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*parts, PART]}, CHAT[1]]


def _record(**fields: Any) -> Any:
    return read_record({"id": "x", "conversations": TALK} | fields, 3)


@given(row=JSON | st.fixed_dictionaries({"conversations": st.lists(JSON | st.sampled_from(TALK))}, optional={
    "id": JSON, "image": JSON, "tags": JSON, "images": JSON,
}))  # fmt: skip
def test_any_row_is_a_record_or_an_error_that_says_why(row: Any) -> None:
    try:
        record = read_record(row, 3)
    except RecordError as error:
        assert error.law  # noqa: PT017
    else:
        assert record.turns
        assert (record.image is None) == ("text-only" in record.tags)


@pytest.mark.parametrize(
    ("fields", "law"),
    [
        ({"image": ["a.png", "b.png"]}, "at most one image"),
        ({"image": "/etc/passwd"}, "inside of the image folder"),
        ({"image": "../a.png"}, "inside of the image folder"),
        ({"image": "a/../../b.png"}, "inside of the image folder"),
        ({"image": ""}, "inside of the image folder"),
        ({"image": 7}, "must be text, but is a number"),
        ({"image": "a.png", "tags": ["text-only"]}, "text-only is for records without an image"),
        ({"tags": "color"}, "must be a list"),
        ({"id": "\ud800"}, "must be Unicode"),
        ({"conversations": [{"from": "system", "value": "s"}, *TALK]}, "turn 0 is of the system"),
        ({"conversations": [{"from": "user", "value": "q"}]}, "there are 1"),
        ({"conversations": [TALK[0], TALK[0]]}, "turn 1 is of 'human'"),
        ({"conversations": [{"from": "human"}, TALK[1]]}, "the value of turn 0 must be text"),
        ({"conversations": TALK[:1]}, "pairs, but there are 1"),
        ({"conversations": []}, "pairs, but there are 0"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_its_reason(fields: dict[str, Any], law: str) -> None:
    with pytest.raises(RecordError, match=law):
        _record(**fields)


def test_a_last_question_without_an_answer_is_left_out() -> None:
    assert _record(conversations=[*TALK, TALK[0]]).turns == (("q", "a"),)


@given(st.text(alphabet="<image> a", max_size=40))
def test_cleaning_a_text_again_changes_nothing(text: str) -> None:
    once = _record(conversations=[{"from": "human", "value": text}, TALK[1]], image="a").turns[0][0]
    assert "<image>" not in once
    assert _record(conversations=[{"from": "human", "value": once}, TALK[1]]).turns[0][0] == once


@pytest.mark.parametrize(
    "row",
    [
        {"image": "a.png", "conversations": SHOWN},
        {"image": ["a.png"], "conversations": SHOWN},
        {"images": ["a.png"], "conversations": SHOWN},
        {"images": "a.png", "conversations": SHOWN},
        {"images": [{"path": "a.png", "bytes": None}], "conversations": SHOWN},
        {"image": "a.png", "images": ["a.png"], "conversations": SHOWN},
        {"images": ["a.png"], "conversations": TALK},
        {"images": ["a.png"], "messages": CHAT},
        {"images": ["a.png"], "conversations": [{"from": "User", "value": "q"}, {"from": "chatgpt", "value": "a"}]},
        {"images": ["a.png"], "messages": [{"role": "system", "content": " "}, *CHAT]},
        {"images": ["a.png"], "instruction": "<image>q", "input": "", "output": "a"},
        {"images": ["a.png"], "query": "<image>q", "response": "a", "history": []},
        {"image": "a.png", "question": "q", "answer": "a"},
        {"image": "a.png", "texts": [{"user": "q", "assistant": "a"}]},
        {"messages": _chat({"type": "image", "image": "a.png"})},
        {"messages": _chat({"type": "image_url", "image_url": {"url": "a.png"}})},
        {"messages": _chat({"type": "image"}), "images": ["a.png"]},
        {"image": "a.png", "messages": None, "conversations": SHOWN},
    ],
)
def test_every_form_of_one_conversation_about_one_image_is_the_same_record(row: dict[str, Any]) -> None:
    record = read_record(row, 0)
    assert (record.image, record.turns) == ("a.png", (("q", "a"),))


def test_alpaca_has_its_context_after_the_instruction_and_its_history_before() -> None:
    record = read_record({"instruction": "q", "input": "c", "output": "a", "history": [["p", "o"]]}, 0)
    assert record.turns == (("p", "o"), ("q\nc", "a"))


@pytest.mark.parametrize(
    ("fields", "law"),
    [
        ({"conversations": SHOWN}, "announces an image with <image>, but the record has no image"),
        ({"conversations": SHOWN, "image": None}, "no image"),
        ({"conversations": SHOWN, "images": []}, "no image"),
        ({"conversations": _asked("<image><image>q"), "image": "a.png"}, "2 images"),
        ({"conversations": [*SHOWN, *SHOWN], "image": "a.png"}, "2 images"),
        ({"conversations": _asked("q", "<image> a"), "image": "a.png"}, "an answer must be text"),
        ({"conversations": _asked("<image_1> q"), "image": "a.png"}, "'<image_1>'"),
        ({"conversations": _asked("Picture 1: <img>a.jpg</img> q")}, "has '<img>a.jpg</img>'"),
        ({"conversations": _asked("<video>\nq")}, "announces <video>"),
        ({"conversations": _asked("<image>a.png</image> q")}, "no image"),
        ({"video": "a.mp4"}, "`video`"),
        ({"audios": ["a.wav"]}, "`audios`"),
        ({"images": ["a.png", "b.png"]}, "2 images"),
        ({"image": "a.png", "images": ["b.png"]}, "different ones"),
        ({"images": [None]}, "is null"),
        ({"image": float("nan")}, "is a number"),
        ({"image": "https://example.org/a.png"}, "is an address"),
        ({"messages": CHAT}, "must have one conversation"),
        ({"conversations": _asked("q", 3)}, "must be text, but is a number"),
        ({"conversations": _asked("q", None)}, "must be text, but is null"),
        ({"conversations": _asked("q", ["a"])}, "holds text"),
        ({"conversations": _chat({"type": "video", "video": "v"})}, "has 'video'"),
        ({"conversations": [TALK[0], {"from": "tool", "value": "a"}]}, "turn 1 is of 'tool'"),
        ({"conversations": "q"}, "must be a list of turns"),
        ({"image_path": "a.png"}, "'image_path' is 'a.png'"),
        ({"Image": "a.png", "conversations": SHOWN}, "'Image' is 'a.png'"),
        ({"img": ["a.AVIF"], "conversations": SHOWN}, "'img' is 'a.AVIF'"),
        ({"picture": {"path": "a.png"}}, "'picture' is 'a.png'"),
        ({"image_url": "https://example.org/a.jpg?size=1"}, "'image_url' is 'https://example.org/a.jpg"),
        ({"image_id": 17, "conversations": SHOWN}, r"no image \(is it 'image_id'\?\)"),
        *(
            ({"conversations": _asked(text), **image}, re.escape(repr(mark)))
            for mark, text in (
                ("<image >", "<image >\nq"),
                ("< image >", "q\n< image > "),
                ("<Image>", " <Image>q"),
                ("<image/>", "q <image/>"),
                ("&lt;image&gt;", "&lt;image&gt;\nq"),
                ("<img>", "<img>\nq"),
                ("[image]", "[image]\nq"),
                ("{image}", "{image}"),
            )
            for image in ({}, {"image": "a.png"})
        ),
        ({"system": "You are a cat."}, "`system` must be empty"),
        ({"history": [["q", "a"]]}, "`history` must be empty beside `conversations`"),
        ({"input": "context"}, "`input` must be empty beside `conversations`"),
        ({"conversations": None, "query": "q", "response": "a", "input": "c"}, "`input` must be empty beside `query`"),
        *(
            ({"conversations": [TALK[0], {**TALK[1], key: value}]}, f"turn 1 has `{key}` {value!r}")
            for key, value in (("weight", 0), ("loss", False), ("train", False), ("loss_scale", 0.5))
        ),
    ],
)
def test_what_has_no_plain_meaning_is_refused(fields: dict[str, Any], law: str) -> None:
    with pytest.raises(RecordError, match=law):
        _record(**fields)


@pytest.mark.parametrize("text", ["<image><url>u</url></image> what is wrong?", "what does `<image>` do?"])
def test_text_about_the_word_is_no_announcement(text: str) -> None:
    assert _record(conversations=_asked(text)).image is None


@pytest.mark.parametrize(
    "fields",
    [
        {"system": " ", "history": [], "input": ""},
        {"conversations": [TALK[0], {**TALK[1], "weight": 1, "loss": True, "train": None, "note": 0}]},
        {"conversations": [{**TALK[0], "weight": 0}, TALK[1]]},
        {"conversations": _asked("How is <Image source={a}/> laid out in React? It is <img> in HTML.")},
        {"conversations": _asked("Fill in [image] and {image}: what does <picture> do?")},
    ],
)
def test_what_only_looks_like_a_placeholder_or_says_nothing_is_read(fields: dict[str, Any]) -> None:
    assert _record(**fields).image is None
