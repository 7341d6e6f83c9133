from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.benchmarks.answers.fields import Answer, answer_field, plain_answer, read_answer, with_known_names

VALUES = st.one_of(
    st.text(max_size=6),
    st.from_regex(r"\s?0*\d{1,3}([.,]0{0,2})?\s?", fullmatch=True),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.integers(), max_size=4),
    st.dictionaries(st.text(max_size=2), st.floats(), max_size=2),
)
KEYS = st.sampled_from(("id", "prediction", "ID", "Prediction", "scores", "question", "image", "issimple", "x"))


def _read(fields: dict[str, Any]) -> Answer | None:
    """Read a record by the steps for all forms; None where it is refused, or where nothing names its question."""
    try:
        named = with_known_names(fields)
        answer = read_answer(named, answer_field(named), "place")
    except InputError:
        return None
    return answer if answer.names else None


@given(fields=st.one_of(st.fixed_dictionaries({"id": VALUES, "prediction": VALUES}), st.dictionaries(KEYS, VALUES)))
def test_a_plain_record_read_at_once_is_the_same_answer(fields: dict[str, Any]) -> None:
    plain = plain_answer(fields, "place")
    assert plain is None or plain == _read(fields)


def test_a_record_with_more_or_other_fields_is_not_plain() -> None:
    assert plain_answer({"id": " 7.0 ", "prediction": ""}, "p") == Answer("p", "", None, None, {"id": "7"}, "", "", "")
    for more in ({"scores": {"a": 1}}, {"question": "why?"}, {"issimple": True}, {"prediction": None}, {"id": None}):
        assert plain_answer({"id": "7", "prediction": "red", **more}, "place") is None


def test_with_known_names_two_fields_of_one_name_are_refused_not_the_last_taken() -> None:
    with pytest.raises(InputError, match="each field once, whatever its case"):
        with_known_names({"id": 1, "ID": 2, "prediction": "a"})
