"""Normalisers give what the authors' programs were observed to give, case by case."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.benchmarks.scorers import normalisers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Yes", "yes"),
        ("NO!", "no"),
        ("2.", "2"),
        ("10.5", "10.5"),
        (".5", ".5"),
        ("no.1", "no.1"),
        ("u.s.a.", "usa"),
        ("hello,world", "hello world"),
        ("1,000-2,000", "10002000"),
        ("1,000", "1000"),
        ("t-shirt", "t shirt"),
        ("a b-c", "b c"),
        ("b -c d-e", "b c de"),
        ("t.w.o", "2"),
        ("th.e cat", "cat"),
        ("none", "0"),
        ("ten", "10"),
        ("eleven", "eleven"),
        ("a", ""),
        ("vitamin a", "vitamin"),
        ("dont", "don't"),
        ("Ive", "ive"),
        ("hed", "he'd"),
        ("its", "its"),
        ("do not", "do not"),
        ("somebody'd", "somebodyd"),
        ("oclock", "o'clock"),
        ("yall", "y'all"),
        ("red\nblue", "red blue"),
        ("\tred\t", "red"),
        ("the\u00a0dog", "dog"),
        ("\u3002", "\u3002"),
        ("it\u2019s", "it\u2019s"),
        ("a: b$ c%", "a: b$ c%"),
    ],
)
def test_the_official_normaliser(text: str, expected: str) -> None:
    assert normalisers.vqa_official(text) == expected


def test_only_the_first_32_periods_go() -> None:
    assert normalisers.vqa_official("yes" + "." * 33) == "yes."
    assert normalisers.vqa_official("yes" + "." * 32) == "yes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("woman's", "woman 's"),
        ("where's", "where 's"),
        ("wheres", "where's"),
        ("hello,world", "helloworld"),
        ("1,000-2,000", "1000 2000"),
        ("ACME?", "acme"),
        ("the brand is acme", "brand is acme"),
    ],
)
def test_the_evalai_normaliser(text: str, expected: str) -> None:
    assert normalisers.evalai(text) == expected


def test_vlmevalkit_keeps_the_period_behind_a_digit() -> None:
    assert normalisers.vlmevalkit("2.") == "2."
    assert normalisers.vlmevalkit("yes.") == "yes"


def test_vizwiz_tables_are_damaged_but_for_a_few_entries() -> None:
    assert normalisers.vizwiz("didnt") == "didn\u2019t"
    assert normalisers.vizwiz_prismatic("didnt") == "didn`t"
    assert normalisers.vizwiz("weve") == normalisers.vizwiz_prismatic("weve") == "we've"
    assert normalisers.vizwiz("couldn'tve") == "couldn\u2019t\u2019ve"


def test_the_official_normaliser_twice_is_not_the_same_as_once() -> None:
    once = normalisers.vqa_official("on.e. the.")
    assert normalisers.vqa_official(normalisers.vqa_official("a.n none")) != "an 0"
    assert once == "1"


def _official_as_published(text: str) -> str:
    """Normalise by steps 1 to 3, written as plainly as the reference states them: slow, without shortcuts."""
    text = text.replace("\n", " ").replace("\t", " ").strip()
    out = text
    for sign in ';/[]"{}()=+\\_-><@`,?!':
        if sign + " " in text or " " + sign in text or re.search(r"(\d)(,)(\d)", text):
            out = out.replace(sign, "")
        else:
            out = out.replace(sign, " ")
    out = re.sub(r"(?!<=\d)(\.)(?!\d)", "", out, count=32)
    words = [normalisers.NUMBER_WORDS.get(word, word) for word in out.lower().split()]
    words = [word for word in words if word not in ("a", "an", "the")]
    return " ".join(normalisers._CONTRACTIONS.get(word, word) for word in words)


@given(
    st.text(alphabet=" .,;/[]\"{}()=+\\_-><@`?!':$\n\tabtheon0123456789\u0663\u00a0\u00e9", max_size=50)
    | st.text(max_size=30)
    | st.lists(st.sampled_from(["dont", "the", "two", "1,000", "a-b", "y'all'dve", "x.", "."]), max_size=6).map(
        " ".join
    )
)
def test_the_official_normaliser_equals_its_plain_statement(text: str) -> None:
    assert normalisers.vqa_official(text) == _official_as_published(text)
