"""A file that is larger than any study is refused before anything is made of it, in a few lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from search_spaces.errors import LONGEST_TEXT, MOST_SHOWN, InputError, InputProblemsError
from search_spaces.overlay import place_override
from search_spaces.study_files import load_study
from search_spaces.yaml_limits import MOST_BYTES, MOST_DEPTH, MOST_DIGITS, MOST_VALUES
from search_spaces.yaml_source import Document, parse
from tests.support.bounded import bounded

BOMB_CPU_S = 20.0
"""A bomb is refused within a second; without the limits it takes minutes, or all memory."""
LARGE_STUDY_CPU_S = 60.0

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))
BOMBS = {
    "a billion laughs": (LAUGHS, "at most 50,000 values"),
    "laughs as keys of a mapping": (LAUGHS.replace("[", "{k: [").replace("]", "]}"), "at most 50,000 values"),
    "depth through aliases": (LADDER, "at most 40 deep"),
    "nested lists": ("a: " + "[" * 900 + "]" * 900, "at most 40 deep"),
    "nested mappings": ("a: " + "{b: " * 900 + "}" * 900, "at most 40 deep"),
    "nested blocks": ("".join(f"{' ' * i}a:\n" for i in range(200)), "at most 40 deep"),
    "nested lists that never end": ("a: " + "[" * 100_000, "must be YAML|at most 40 deep"),
    "a long number": ("a: " + "9" * 5_000, "at most 40 digits"),
    "a long negative number": ("a: -" + "9" * 5_000, "at most 40 digits"),
    "a long hexadecimal number": ("a: 0x" + "f" * 5_000, "at most 40 digits"),
    "a number beyond floats": ("a: 1e999999999", "must be finite"),
    "many keys": ("".join(f"k{i}: 1\n" for i in range(100_000)), "at most 50,000 values"),
    "a long list": ("a: [" + "1, " * 1_000_000 + "1]", "at most 50,000 values"),
    "an alias inside of what it repeats": ("a: &a [*a]", "must not lie inside of what it repeats"),
    "a large text": ("a: " + "x" * 5_000_000, "at most 4 MB"),
}


@pytest.mark.parametrize(("text", "law"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_in_a_few_words(text: str, law: str) -> None:
    with bounded(BOMB_CPU_S), pytest.raises(InputError, match=law) as refused:
        parse(text, "study.yaml")
    assert "study.yaml" in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_bomb_of_the_command_line_is_refused() -> None:
    with bounded(BOMB_CPU_S), pytest.raises(InputError, match="at most 40 deep"):
        place_override(Document({}), "axes=" + "[" * 900 + "]" * 900)


def test_what_is_within_the_limits_is_read() -> None:
    assert len(parse("a: [" + "1, " * (MOST_VALUES - 4) + "1]", "x").value["a"]) == MOST_VALUES - 3
    parse("[" * MOST_DEPTH + "]" * MOST_DEPTH, "x")
    assert parse("9" * MOST_DIGITS, "x").value == 10**MOST_DIGITS - 1
    assert parse("a: &a [1, 2]\nb: *a\nc: *a", "x").value == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}
    assert parse("'" + "9" * 500 + "'", "x").value == "9" * 500


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "study.yaml"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"must be a file, or one of"):
        load_study(str(pipe))
    sparse = tmp_path / "large.yaml"
    with sparse.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="at most 4 MB"):
        load_study(str(sparse))


def test_an_error_quotes_the_ends_of_a_long_value_and_the_first_of_many_problems() -> None:
    error = InputError("must be short, but got " + "x" * 1_000_000 + "the end", place="y" * 1_000_000)
    assert len(str(error)) < 3 * LONGEST_TEXT
    assert str(error).endswith("the end")
    assert "characters ...]" in str(error)
    many = InputProblemsError([InputError(f"problem {i}") for i in range(MOST_SHOWN + 7)])
    assert str(many).endswith("... and 7 more problems")
    assert len(many.problems) == MOST_SHOWN + 7


@pytest.mark.parametrize(
    "addition",
    [
        "stages: [" + "1, " * 40_000 + "1]",
        "seed_sd: " + "x" * 3_000_000,
        "arms: {" + ", ".join(f"a{i}: {{}}" for i in range(20_000)) + "}",
        "mixes: {" + ", ".join(f"m{i}: 1" for i in range(20_000)) + "}",
        "".join(f"k{i}: 1\n" for i in range(10_000)),
        "axes: {epochs: [" + ", ".join(map(str, range(1, 40_000))) + "]}",
    ],
    ids=["a list in a wrong place", "a text for a number", "arms", "mixes", "unknown keys", "values of an axis"],
)
def test_a_large_study_is_read_or_refused_in_a_few_pages(tmp_path: Path, addition: str) -> None:
    file = tmp_path / "study.yaml"
    usual = "study: x\nbase: {vision: {backbone: a}, language: b, stages: [c]}\nrecipe: quickstart\n"
    file.write_text(f"{usual}{addition}")
    said = ""
    with bounded(LARGE_STUDY_CPU_S):
        try:
            load_study(str(file))
        except InputError as error:
            said = str(error)
    assert len(said) < 30_000
