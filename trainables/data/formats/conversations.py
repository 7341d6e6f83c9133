"""Make records of conversations about images, in the forms that people write them; refuse what has no plain meaning.

The forms are those of LLaVA and ShareGPT (`conversations` of `from` and `value`), chat messages (`messages` of `role`
and `content`, which may be a list of parts), Alpaca (`instruction`, `input`, `output`), ms-swift (`query`, `response`),
questions with an answer, and `texts` of `user` and `assistant`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from trainables.data.formats.image_fields import MODALITIES, check_modality, check_no_image, image_of
from trainables.data.formats.placeholders import announced_images, without_placeholders
from trainables.data.formats.record_text import text_of, type_name
from trainables.data.record import TEXT_ONLY, Record
from trainables.data.refused import RecordError

Party = Literal["human", "gpt", "system"]

_PARTIES: Mapping[str, Party] = {
    "human": "human",
    "user": "human",
    "gpt": "gpt",
    "assistant": "gpt",
    "chatgpt": "gpt",
    "bing": "gpt",
    "bard": "gpt",
    "model": "gpt",
    "system": "system",
}
"""Who speaks, by the roles of ShareGPT, OpenAI and those that write like them."""

_TURN_LISTS = frozenset({"conversations", "messages", "conversation", "texts"})
_PAIRS = {"instruction": "output", "query": "response", "question": "answer"}
CONVERSATION_FIELDS = _TURN_LISTS | _PAIRS.keys()
"""Fields that hold a conversation, or begin one."""
FIELDS = _TURN_LISTS | _PAIRS.keys() | {*_PAIRS.values(), "input", "history", "system", "id", "tags", *MODALITIES}
"""Fields of a record that are read, besides those of its image."""

_FORMS = (
    "`conversations` (from, value), `messages` (role, content), `instruction` and `output`, `query` and `response`, "
    "or `question` and `answer`"
)
_IMAGE_WORDS = re.compile("image|img|pic|photo", re.IGNORECASE)
_UNTRAINED = ("weight", "loss", "loss_weight", "loss_scale", "train", "learn")
"""Fields of turns by which other programs leave answers out of the loss, or weigh them."""
_ORDER: tuple[Party, Party] = ("human", "gpt")


def read_record(row: Any, number: int) -> Record:
    """Make a record of its decoded object.

    Args:
        row: the value.
        number: its position in the file, which becomes the id of a record without one.

    Raises:
        RecordError: what cannot be trained on, or can be read in more than one way.
    """
    if not isinstance(row, dict):
        raise RecordError("form", f"a record must be an object, but is {type_name(row)}")
    check_modality(row)
    turns, parts = _turns(_turn_list(row))
    image = image_of(row, parts)
    announced = announced_images(turns)
    unread = {key: value for key, value in row.items() if key not in FIELDS} if image is None else {}
    if image is None:
        check_no_image(unread)
    _check_announced(announced, image, unread)
    tags = _tags(row.get("tags"))
    if image is None:
        tags = (*(tag for tag in tags if tag != TEXT_ONLY), TEXT_ONLY)
    elif TEXT_ONLY in tags:
        raise RecordError("id or tags", f"the tag {TEXT_ONLY} is for records without an image, but this has {image!r}")
    # A last question without an answer has no target and comes after all targets: without it the loss is the same.
    clean = [without_placeholders(text) if "<" in text else text.strip() for text in turns]
    return Record(_id(row.get("id"), number), image, tuple(zip(clean[::2], clean[1::2], strict=False)), tags)


def _check_announced(announced: int, image: str | None, unread: Mapping[str, Any]) -> None:
    """Check that a text announces no more images than its record holds. Raises RecordError with likely fields."""
    if announced > (image is not None):
        images, held = ("an image" if announced == 1 else f"{announced} images"), "no image" if image is None else "one"
        likely = [key for key, value in unread.items() if value and _IMAGE_WORDS.search(key)]
        held += f" (is it {likely[0]!r}?)" if likely else ""
        law = f"the text announces {images} with <image>, but the record has {held}"
        raise RecordError("placeholder", law, "Name the image in `image`, or remove <image> from the text.")


def _turn_list(row: dict[str, Any]) -> list[Any]:
    """Find the turns of a record, whatever its form."""
    lists = [name for name in row.keys() & _TURN_LISTS if row[name] is not None]
    if len(lists) > 1:
        lists = [name for name in sorted(lists) if row[name]] or lists[:1]
    pairs = [] if lists else [name for name in _PAIRS if row.get(name) is not None]
    forms = lists + pairs
    if len(forms) != 1:
        has = f"has {' and '.join(map(repr, forms))}" if forms else f"has only {', '.join(map(repr, row)) or 'no key'}"
        raise RecordError("form", f"a record must have one conversation: {_FORMS}; but {has}")
    name = forms[0]
    if pairs:
        return _pair(row, name)
    _check_beside(row, name, ("system", "history", "input"))
    turns = row[name]
    if not isinstance(turns, list):
        raise RecordError("form", f"`{name}` must be a list of turns, but is {type_name(turns)}")
    return [turn for pair in turns for turn in _exchange(pair)] if name == "texts" else turns


def _check_beside(row: Mapping[str, Any], form: str, fields: Sequence[str]) -> None:
    """Check that fields that another form has are empty: they would be left out. Raises RecordError."""
    for field in fields:
        value = row.get(field)
        if value and not (isinstance(value, str) and not value.strip()):
            if field == "system":
                law = "`system` must be empty: system prompts belong to the study's prompt style"
                raise RecordError("system turn", law, "Remove it.")
            raise RecordError("form", f"`{field}` must be empty beside `{form}`, which has no such part", "Remove it.")


def _pair(row: dict[str, Any], asked: str) -> list[Any]:
    if asked != "instruction":
        _check_beside(row, asked, ("input",))
    history = row.get("history") or []
    if not isinstance(history, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in history):
        raise RecordError("form", "`history` must be a list of [question, answer]")
    question = row[asked]
    context = row.get("input") if asked == "instruction" else None
    if context:
        question = f"{text_of(question, f'`{asked}`')}\n{text_of(context, '`input`')}"
    earlier = [turn for question, answer in history for turn in (_turn("human", question), _turn("gpt", answer))]
    system = [_turn("system", row["system"])] if row.get("system") else []
    return [*system, *earlier, _turn("human", question), _turn("gpt", row.get(_PAIRS[asked]))]


def _turn(party: Party, text: Any) -> dict[str, Any]:
    return {"from": party, "value": text}


def _exchange(pair: Any) -> list[dict[str, Any]]:
    if not isinstance(pair, dict) or "user" not in pair or "assistant" not in pair:
        raise RecordError("form", "`texts` must be a list of objects with `user` and `assistant`")
    return [_turn("human", pair["user"]), _turn("gpt", pair["assistant"])]


def _turns(conversation: list[Any]) -> tuple[list[str], list[Any]]:
    """Read the texts of the turns, human first and in alternation, and the images that they name."""
    texts: list[str] = []
    images: list[Any] = []
    for number, turn in enumerate(conversation):
        try:  # the common form first: there are millions of turns
            party, value = _PARTIES[turn["from"]], turn["value"]
        except (KeyError, TypeError):
            party, value = _speaker(turn, number)
        if party == "system":
            _check_system(value, number)
            continue
        if len(turn) > 2 and party == "gpt":
            _check_trained(turn, number)
        if party != _ORDER[len(texts) % 2]:
            raise RecordError("turns", f"turns must alternate human, gpt, but turn {number} is of {party!r}")
        if isinstance(value, str) and value.isascii():
            texts.append(value)
        else:
            what = f"the value of turn {number}"
            texts.append(_joined(value, what, images) if isinstance(value, list) else text_of(value, what))
    if len(texts) < 2:
        raise RecordError("turns", f"conversations must be human, gpt pairs, but there are {len(texts)} turns")
    return texts, images


def _check_system(value: Any, number: int) -> None:
    """Check that a turn of the system is the first one and empty: the study's prompt style has what it would say."""
    if number or not isinstance(value, str) or value.strip():
        law = f"turns must be of human and gpt, but turn {number} is of the system"
        raise RecordError("system turn", law, "Remove it: system prompts belong to the study's prompt style.")


def _check_trained(turn: Mapping[str, Any], number: int) -> None:
    """Check that an answer is to be trained on as every other: nothing else is done here. Raises RecordError."""
    for key in _UNTRAINED:
        value = turn.get(key)
        if value is not None and value is not True and value != 1:
            law = f"every answer is trained on alike, but turn {number} has `{key}` {value!r}"
            raise RecordError("turns", law, "Leave the turn out, or the field.")


def _speaker(turn: Any, number: int) -> tuple[Party, Any]:
    """Find who speaks in a turn, and what."""
    if not isinstance(turn, dict):
        raise RecordError("turns", f"turns must be objects, but turn {number} is {type_name(turn)}")
    role = turn.get("from")
    if role is None:
        role = turn.get("role")
    party = _PARTIES.get(role) or _PARTIES.get(role.strip().lower()) if isinstance(role, str) else None
    if party is None:
        raise RecordError("turns", f"turns must be of human and gpt, but turn {number} is of {role!r}")
    value = turn.get("value")
    if value is None:
        value = turn.get("content")
    return party, value


def _joined(parts: list[Any], what: str, images: list[Any]) -> str:
    """Join the parts of a chat message, images as placeholders; what they name is added to `images`."""
    texts = []
    for part in parts:
        if not isinstance(part, dict):
            raise RecordError("text", f"{what} must be text or parts with a `type`, but holds {type_name(part)}")
        kind = part.get("type")
        if kind == "text":
            texts.append(text_of(part.get("text"), what))
        elif kind in ("image", "image_url"):
            texts.append("<image>")
            named = [part[key] for key in ("image", "image_url", "path", "url") if part.get(key) is not None]
            images += [place.get("url") if isinstance(place, dict) and "url" in place else place for place in named]
        else:
            kind_of_error: Literal["text", "other modality"] = "text" if kind is None else "other modality"
            raise RecordError(kind_of_error, f"parts of a turn must be text or image, but {what} has {kind!r}")
    return "\n".join(text for text in texts if text)


def _tags(tags: Any) -> tuple[str, ...]:
    if tags is None:
        return ()
    if not isinstance(tags, list | tuple):
        raise RecordError("id or tags", f"`tags` must be a list, but is {type_name(tags)}")
    return tuple(text_of(tag, "a tag") for tag in tags)


def _id(value: Any, number: int) -> str:
    if value is None:
        return str(number)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(value, "`id`")
