"""Find in a record which field is the answer, which may name its question, and what else tells which question it is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from search_spaces.errors import InputError

ANSWERS = (
    *("prediction", "pred_answer", "predicted_answer", "predicted", "pred", "filtered_resps", "resps", "response"),
    *("model_answer", "model_output", "output", "generated_text", "answer", "text", "caption"),
    *("pred_bbox", "pred_box", "bbox", "box"),
)
"""Fields that hold answers, the surest first: `answer` beside a `prediction` is the reference."""
NAMES = ("id", "question_id", "questionId", "questionid", "qid", "sent_id", "image", "image_id", "doc_id", "index")
"""Fields that may name the question, the plainest first."""
POSITIONS = frozenset(("doc_id", "index"))
"""Of these, numbers of lines in somebody's own version of a set: nothing is joined by them alone."""
_PLAIN = frozenset(("id", "prediction"))
_QUESTIONS = ("question", "prompt", "input", "caption", "sentence", "sent", "expression", "text")
_REFERENCE_ONLY = frozenset(
    (
        "issimple",
        "isBalanced",
        "fullAnswer",
        "multiple_choice_answer",
        "correctAnswer",
        "answerTexts",
        "vote_true_validator_id",
    )
)
"""Fields that only the references of benchmarks have."""
_WHOLE = re.compile(r"^(\d+)[.,]0+$")
_WORDS = re.compile(r"[\W_]+")


class Answer(NamedTuple):
    """Answer of one record."""

    place: str
    text: str | None
    """None where options were ranked."""
    scores: Mapping[str, float] | None
    box: Sequence[float] | None
    """Four numbers, where the answer is a list of them."""
    names: Mapping[str, str]
    """Field -> what it names the question, for those of `NAMES` that are there."""
    category: str
    """Split or category of the question; empty where the record has none."""
    question: str
    """Text that holds the question, as words; empty where the record has none."""
    image: str
    """File name of the image; empty where the record has none."""


_NAMES = frozenset(NAMES)
_SPELLINGS = {name.lower(): name for name in (*ANSWERS, *NAMES, *_QUESTIONS, "scores", "category", "split")}

_AS_KNOWN = _NAMES.union(_SPELLINGS)


def with_known_names(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Rename fields that are known but for their case: `Question_ID`, `Answer`.

    Raises:
        InputError: two fields have one name but for their case.
    """
    if _AS_KNOWN.issuperset(fields):
        return fields
    named = {
        (_SPELLINGS.get(key.lower(), key) if isinstance(key, str) else key): value for key, value in fields.items()
    }
    if len(named) < len(fields):
        raise InputError(f"must have each field once, whatever its case, but has {_keys(fields)}")
    return named


def answer_field(fields: Mapping[str, Any]) -> str:
    """Find the field with the answer. Raises InputError where there is none, and for records of references."""
    if "scores" in fields and ANSWERS[0] not in fields and isinstance(fields["scores"], dict | list):
        return "scores"
    if fields.get("scores") is not None and ANSWERS[0] in fields and isinstance(fields["scores"], dict):
        raise InputError('must have either "prediction" or "scores"')
    references = sorted(_REFERENCE_ONLY & fields.keys())
    key = next((key for key in ANSWERS if key in fields), None)
    if references and key in ("answer", "text", "caption", None):
        raise InputError(f"must be a prediction, but is a reference: it has {', '.join(references)}")
    if key is None:
        raise InputError(
            f'must have "prediction", "scores" or the answer of another form (answer, text, filtered_resps, response,'
            f" bbox, ...), but has {_keys(fields)}",
            way_out='The plain form is one {"id": ..., "prediction": ...} per line.',
        )
    return key


def plain_answer(fields: Mapping[str, Any], place: str) -> Answer | None:
    """Read a record that holds an id and a text alone, as `read_answer` does, but at once; None for any other record.

    Args:
        fields: the record.
        place: the record, for errors.
    """
    if fields.keys() != _PLAIN:
        return None
    name, text = name_text(fields["id"]), fields["prediction"]
    if name is None or not isinstance(text, str):
        return None
    return Answer(place, text, None, None, {"id": name}, "", "", "")


def read_answer(fields: Mapping[str, Any], key: str, place: str) -> Answer:
    """Read a record.

    Args:
        fields: the record.
        key: the field with the answer.
        place: the record, for errors.

    Raises:
        InputError: for an answer that is no text, number, boolean, box or object of options' scores.
    """
    value, box = fields[key], None
    scores = option_scores(value) if key == "scores" else None
    if scores is None:
        value = _single(value, key)
        box = value if _is_box(value) else None
    text = answer_text(value, key) if scores is None else None
    doc = fields.get("doc")
    around = {**doc, **fields} if isinstance(doc, dict) else fields
    question = next(filter(None, (_words(around[name]) for name in _QUESTIONS if name in around and name != key)), "")
    return Answer(place, text, scores, box, _names(around, doc), _category(around), question, _image(around))


def _keys(fields: Mapping[str, Any]) -> str:
    return ", ".join(map(str, list(fields)[:8])) or "nothing"


def _names(fields: Mapping[str, Any], doc: Any) -> dict[str, str]:
    names = {key: name for key in fields if key in _NAMES and (name := name_text(fields[key])) is not None}
    if isinstance(doc, dict) and (name := name_text(doc.get("id"))) is not None:
        names["id"] = name
    return names


def name_text(value: Any) -> str | None:
    """Write what names a question as text: 12.0 is 12, as tables write whole numbers; None for what names nothing."""
    if isinstance(value, str):
        if value.isalnum():
            return value
        return (_WHOLE.sub(r"\1", value.strip()) if "0" in value else value.strip()) or None
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return str(value)
    except ValueError:  # Python refuses to write out integers of more than 4,300 digits
        return None


def _category(fields: Mapping[str, Any]) -> str:
    value = fields.get("category", fields.get("split", ""))
    return value.strip().lower() if isinstance(value, str) else ""


def _image(fields: Mapping[str, Any]) -> str:
    for key in ("image", "image_path", "image_id"):
        if isinstance(fields.get(key), str):
            return str(fields[key]).replace("\\", "/").rpartition("/")[2]
    return ""


def _words(value: Any) -> str:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return words_of(value) if isinstance(value, str) else ""


def words_of(text: str) -> str:
    """Reduce a text to its words in lower case, so that questions can be compared."""
    return _WORDS.sub(" ", text.casefold()).strip()


def _single(value: Any, key: str) -> Any:
    """Take the one answer out of the lists that lmms-eval puts around it."""
    if key not in ("filtered_resps", "resps"):
        return value
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, list | tuple):
        each = list(_flat(value))
        if each and all(isinstance(one, str) and one == each[0] for one in each):
            return each[0]
        if any(isinstance(one, float) for one in each):
            law = "must be the answer's text, but holds log-likelihoods, which do not say whose they are"
            raise InputError(law, key=key, way_out='Write {"id": ..., "scores": {option: number}}.')
        raise InputError("must be one answer, but holds several that differ", key=key)
    return value


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**18


def _is_box(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 4 and all(map(_is_number, value))


def answer_text(value: Any, key: str) -> str:
    """Write an answer as text: a number, a boolean or a list of numbers (a box) as its JSON text.

    Args:
        value: of the record.
        key: its field, for errors.

    Raises:
        InputError: for null, NaN, objects and other lists.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(map(_is_number, value)):
        return json.dumps(list(value))
    if isinstance(value, bool) or _is_number(value):
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
    if isinstance(value, int):
        raise InputError("must be a shorter number", key=key)
    law = "must be text, a number, a boolean or a list of numbers"
    if value is None or value != value:
        raise InputError(f"{law}, but is {'null' if value is None else 'NaN'}", key=key, way_out=_EMPTY)
    raise InputError(law, key=key)


_EMPTY = 'An answer that is empty is "".'


def option_scores(value: Any) -> dict[str, float]:
    """Read an object of option: number. Raises InputError for anything else."""
    if not isinstance(value, dict) or not value:
        raise InputError("must be an object of option: number", key="scores")
    for option, score in value.items():
        if isinstance(score, bool) or not isinstance(score, int | float) or math.isnan(score) or score == math.inf:
            raise InputError(f"the score of {option!r} must be a number (-Infinity may be one)", key="scores")
    return {option: _as_float(score) for option, score in value.items()}


def _as_float(score: float) -> float:
    try:
        return float(score)
    except OverflowError as error:
        raise InputError("a score must fit into a 64-bit float", key="scores") from error
