"""Conversations written as people write them, and damaged in ways that leave them no plain meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]
_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="<[`"), min_size=1, max_size=12
)  # not blank at either end, no placeholder of any program


@dataclass(frozen=True)
class Truth:
    """What a record must be read as."""

    id: str
    image: str | None
    turns: tuple[tuple[str, str], ...]


@st.composite
def truths(draw: st.DrawFn, number: int) -> Truth:
    """Draw what a record says."""
    image = draw(st.sampled_from([None, f"{number}.png", f"a b/{number}.jpeg"]))
    return Truth(f"r{number}", image, tuple(draw(st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=3))))


def _asked(truth: Truth, mark: str) -> list[tuple[str, str]]:
    """List the turns as (question, answer), with the placeholder in the first question."""
    (question, answer), *later = truth.turns
    return [(mark + question if truth.image else question, answer), *later]


def _listed(truth: Truth, role: str, text: str, human: str, gpt: str) -> list[Row]:
    pairs = _asked(truth, "<image>\n")
    return [{role: party, text: said} for pair in pairs for party, said in zip((human, gpt), pair, strict=True)]


def _sharegpt(truth: Truth) -> Row:
    return {"conversations": _listed(truth, "from", "value", "user", "chatgpt"), **_images(truth)}


def _llava(truth: Truth) -> Row:
    named = {"image": truth.image} if truth.image else {}
    return {"conversations": _listed(truth, "from", "value", "human", "gpt"), **named}


def _messages(truth: Truth) -> Row:
    return {"messages": _listed(truth, "role", "content", "user", "assistant"), **_images(truth)}


def _parts(truth: Truth) -> Row:
    turns: list[Row] = []
    for number, (question, answer) in enumerate(truth.turns):
        shown = [{"type": "image", "image": truth.image}] if truth.image and not number else []
        turns.append({"role": "user", "content": [*shown, {"type": "text", "text": question}]})
        turns.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return {"messages": turns}


def _alpaca(truth: Truth) -> Row:
    *earlier, (question, answer) = _asked(truth, "<image>")
    history = [list(pair) for pair in earlier]
    return {"instruction": question, "input": "", "output": answer, "history": history, **_images(truth)}


def _swift(truth: Truth) -> Row:
    *earlier, (question, answer) = _asked(truth, "<image>")
    history = [list(pair) for pair in earlier]
    return {"query": question, "response": answer, "history": history, **_images(truth)}


def _images(truth: Truth) -> Row:
    return {"images": [truth.image] if truth.image else []}


DIALECTS: Mapping[str, Callable[[Truth], Row]] = {
    "llava": _llava,
    "sharegpt": _sharegpt,
    "messages": _messages,
    "parts": _parts,
    "alpaca": _alpaca,
    "swift": _swift,
}


def write_row(dialect: str, truth: Truth) -> Row:
    """Write a record in one of the dialects."""
    return {"id": truth.id, **DIALECTS[dialect](truth)}


def _said(row: Row) -> tuple[Row, str] | None:
    """Find the object and the key of the first question."""
    turns = row.get("conversations") or row.get("messages")
    if turns:
        return turns[0], "value" if "value" in turns[0] else "content"
    return (row, "instruction" if "instruction" in row else "query") if not row["history"] else None


def _answered(row: Row) -> tuple[Row, str]:
    """Find the object and the key of the last answer."""
    turns = row.get("conversations") or row.get("messages")
    if turns:
        return turns[-1], "value" if "value" in turns[-1] else "content"
    return row, "output" if "output" in row else "response"


def _set_question(row: Row, change: Callable[[str], Any]) -> Row | None:
    place = _said(row)
    if place is None or not isinstance(place[0][place[1]], str):
        return None
    place[0][place[1]] = change(place[0][place[1]])
    return row


def _set_answer(value: Any) -> Callable[[Row], Row | None]:
    def damage(row: Row) -> Row | None:
        target, key = _answered(row)
        is_parts = isinstance(target[key], list) and isinstance(value, str)
        target[key] = [{"type": "text", "text": value}] if is_parts else value
        return row

    return damage


def _lose_image(row: Row) -> Row | None:
    row = {key: value for key, value in row.items() if key not in ("image", "images")}
    return _set_question(row, lambda text: "<image>\n" + text.removeprefix("<image>").strip())


def _change_turns(change: Callable[[list[Row]], list[Row]]) -> Callable[[Row], Row | None]:
    def damage(row: Row) -> Row | None:
        name = next((name for name in ("conversations", "messages") if name in row), None)
        if name is None:
            return None
        row[name] = change(row[name])
        return row

    return damage


def _role(party: str) -> Callable[[list[Row]], list[Row]]:
    def change(turns: list[Row]) -> list[Row]:
        turns[-1]["from" if "from" in turns[-1] else "role"] = party
        return turns

    return change


def _lose_names(row: Row) -> Row:
    """Leave out what names an image, in fields and in parts of messages."""
    row = {key: value for key, value in row.items() if key not in ("image", "images")}
    for turn in row.get("messages", ()):
        if isinstance(turn["content"], list):
            turn["content"] = [part for part in turn["content"] if part["type"] != "image"]
    return row


DAMAGES: Mapping[str, Callable[[Row], Row | None]] = {
    "placeholder without an image": _lose_image,
    "placeholder twice": lambda row: _set_question(row, lambda text: "<image><image>" + text),
    "placeholder of another program": lambda row: _set_question(row, lambda text: "<image_1>" + text),
    "placeholder misspelt": lambda row: _set_question(row, lambda text: "< image >\n" + text),
    "placeholder in entities": lambda row: _set_question(row, lambda text: text + "\n&lt;image&gt;"),
    "image under another name": lambda row: {**_lose_names(row), "picture": {"path": "a.png"}},
    "a system prompt beside": lambda row: {**row, "system": "You are a cat."},
    "an answer that is not trained": _change_turns(lambda turns: [*turns[:-1], {**turns[-1], "weight": 0}]),
    "placeholder in an answer": _set_answer("<image> a"),
    "two images": lambda row: {**row, "images": ["a.png", "b.png"]},
    "an absolute path": lambda row: {**row, "image": "/a.png"},
    "a path out of the folder": lambda row: {**row, "images": ["../a.png"]},
    "an address": lambda row: {**row, "images": ["https://example.org/a.png"]},
    "video": lambda row: {**row, "video": "a.mp4"},
    "audio": lambda row: {**row, "audios": ["a.wav"]},
    "a number": _set_answer(3),
    "a fraction": _set_answer(0.5),
    "null": _set_answer(None),
    "a list": _set_answer(["a"]),
    "an object": _set_answer({"a": "b"}),
    "no turn": _change_turns(lambda turns: []),
    "one turn": _change_turns(lambda turns: turns[:1]),
    "turns in the wrong order": _change_turns(lambda turns: turns[::-1]),
    "a turn twice": _change_turns(lambda turns: [turns[0], *turns]),
    "an unknown role": _change_turns(_role("tool")),
    "a system turn": _change_turns(_role("system")),
    "a text": lambda row: {"id": "x", "conversations": "q"},
    "no conversation": lambda row: {key: value for key, value in row.items() if key in ("id", "images")},
}
"""Damage of a row, by name; it returns None where it does not apply to a dialect."""

UNIFORM = ("placeholder without an image", "placeholder twice", "placeholder in an answer", "no turn", "one turn")
UNIFORM += ("turns in the wrong order", "a turn twice", "an unknown role", "a system turn")
"""Damages after which the types of a row are what they were: those that a column of Parquet can hold."""
