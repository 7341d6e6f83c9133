"""Sets of one's own, damaged in known ways: read as the generator knows, or refused by the line and the field."""

from __future__ import annotations

import codecs
import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError, InputProblemsError
from tests.support.broken_inputs import tries
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.sets.families import FAMILIES
from trainables.evaluation.sayable import unsayable
from trainables.model.lexicon import Lexicon
from trainables.model.tokenizer import WORD

Record = dict[str, Any]
WORDS = ("crimson", "teal", "gold", "dog", "cat", "street", "lamp")
UNKNOWN = "zyzzyva"
KNOWN = {*WORDS, *map(str, range(100)), "yes", "no", "a", "b", "c", "d", "."}
LEXICON = Lexicon(
    lambda text: [word for word in WORD.findall(text.lower()) if word not in KNOWN],
    lambda text: " ".join(WORD.findall(text.lower())),
    lambda text: len(WORD.findall(text)),
)


@dataclass(frozen=True)
class Case:
    """A record as it is written, and what must come of it."""

    record: Record
    reference: Any = None
    question: str = "What is it?"
    image: str | None = "a.png"
    refused: str | None = None
    """Field that the error must name; None where the record is to be read."""
    says_unknown: bool = False
    """Whether its right answer has a word that the vocabulary lacks."""


def well_formed(family: str, number: int, chance: random.Random) -> Case:
    """Write a record of a family as it should be."""
    base = {"id": number, "image": "a.png", "question": "What is it?"}
    word, other = chance.sample(WORDS, 2)
    match family:
        case "vqa":
            texts = [word] * chance.randint(1, 10)
            return Case({**base, "answers": [*texts]}, texts)
        case "exact":
            return Case({**base, "answer": word}, word)
        case "yes-no":
            answer = chance.choice(["yes", "no"])
            return Case({**base, "answer": answer}, answer)
        case "counting":
            count = chance.randint(0, 20)
            return Case({**base, "answer": count}, count)
        case "multiple-choice":
            position = chance.randint(0, 1)
            return Case({**base, "options": [word, other], "answer": position}, position)
        case _:
            x, y = chance.randint(0, 20), chance.randint(0, 20)
            box = [x, y, x + chance.randint(2, 40), y + chance.randint(2, 40)]
            return Case({**base, "box": box, "size": [64, 64]}, {"box": box, "size": [64, 64]})


def changed(case: Case, /, refused: str | None = None, reference: Any = None, **fields: Any) -> Case:
    """Change fields of a record; the last argument of each kind says what must come of it."""
    return Case(
        {**case.record, **fields},
        case.reference if reference is None else reference,
        refused=refused,
    )


def without(case: Case, key: str) -> Case:
    return Case({name: value for name, value in case.record.items() if name != key}, refused=key)


def other_image(case: Case, value: Any, image: str | None) -> Case:
    return Case({**case.record, "image": value}, case.reference, image=image)


def _misnamed(case: Case, key: str, name: str) -> Case:
    record = {name if field == key else field: value for field, value in case.record.items()}
    return Case(record, refused=key)


Damage = Callable[[Case], Case]
GENERAL: dict[str, Damage] = {
    "nothing": lambda case: case,
    "no id": lambda case: without(case, "id"),
    "no question": lambda case: without(case, "question"),
    "empty question": lambda case: changed(case, refused="question", question=" "),
    "question is null": lambda case: changed(case, refused="question", question=None),
    "question of many": lambda case: changed(case, refused="question", question=["What is it?"]),
    "placeholder before": lambda case: changed(case, question="<image>\nWhat is it?"),
    "placeholder behind": lambda case: changed(case, question="What is it?\n<image>"),
    "placeholder inside": lambda case: changed(case, refused="question", question="What is <image> here?"),
    "placeholder twice": lambda case: changed(case, refused="question", question="<image><image>\nWhat?"),
    "no image": lambda case: other_image(case, None, None),
    "one image in a list": lambda case: other_image(case, ["a.png"], "a.png"),
    "two images": lambda case: changed(case, refused="image", image=["a.png", "b.png"]),
    "empty image": lambda case: changed(case, refused="image", image=""),
    "image as an object": lambda case: changed(case, refused="image", image={"bytes": "x"}),
    "image under another name": lambda case: _misnamed(case, "image", "image_path"),
    "question under another name": lambda case: _misnamed(case, "question", "prompt"),
    "id is null": lambda case: changed(case, refused="id", id=None),
    "id is true": lambda case: changed(case, refused="id", id=True),
    "group is a number": lambda case: changed(case, groups={"level": 3}),
    "group is a list": lambda case: changed(case, refused="level", groups={"level": [3]}),
    "further fields": lambda case: changed(case, source="mine", difficulty=3),
}


def _answer(value: Any, reference: Any = None, refused: str | None = None) -> Damage:
    return lambda case: changed(case, refused=refused, reference=reference, answer=value)


def _answers(value: Any, reference: Any = None, refused: str | None = None) -> Damage:
    return lambda case: changed(case, refused=refused, reference=reference, answers=value)


def _unknown(**fields: Any) -> Damage:
    reference = fields.get("answers", fields.get("answer"))
    return lambda case: Case({**case.record, **fields}, reference, says_unknown=True)


OWN: dict[str, dict[str, Damage]] = {
    "exact": {
        "number": _answer(3, "3"),
        "float": _answer(3.0, "3"),
        "list of one": _answer(["teal"], "teal"),
        "list of two": _answer(["teal", "gold"], refused="answer"),
        "null": _answer(None, refused="answer"),
        "boolean": _answer(False, refused="answer"),
        "object": _answer({"text": "teal"}, refused="answer"),
        "article alone": _answer("a", "a"),
        "missing": lambda case: without(case, "answer"),
        "misspelt": lambda case: _misnamed(case, "answer", "anwser"),
        "of several": lambda case: _misnamed(case, "answer", "answers"),
        "unknown word": _unknown(answer=f"{UNKNOWN} dog"),
    },
    "vqa": {
        "one text": _answers("teal", ["teal"]),
        "objects": _answers([{"answer": "teal", "answer_id": 1}, {"answer": "gold"}], ["teal", "gold"]),
        "numbers": _answers([3, 4], ["3", "4"]),
        "empty list": _answers([], refused="answers"),
        "null inside": _answers(["teal", None], refused="answers"),
        "blank inside": _answers(["teal", " "], refused="answers"),
        "boolean inside": _answers(["teal", True], refused="answers"),
        "list inside": _answers([["teal"]], refused="answers"),
        "counts by answer": _answers({"teal": 3}, refused="answers"),
        "missing": lambda case: without(case, "answers"),
        "unknown words": _unknown(answers=[UNKNOWN] * 9),
    },
    "yes-no": {
        "true": _answer(True, "yes"),
        "false": _answer(False, "no"),
        "capital": _answer("No", "no"),
        "full stop": _answer("Yes.", "yes"),
        "number": _answer(1, refused="answer"),
        "another word": _answer("maybe", refused="answer"),
        "null": _answer(None, refused="answer"),
        "list": _answer(["yes"], refused="answer"),
    },
    "counting": {
        "text": _answer("7", 7),
        "float": _answer(7.0, 7),
        "half": _answer(7.5, refused="answer"),
        "word": _answer("seven", refused="answer"),
        "negative": _answer(-7, refused="answer"),
        "boolean": _answer(True, refused="answer"),
        "null": _answer(None, refused="answer"),
    },
    "multiple-choice": {
        "text": lambda case: changed(case, answer=case.record["options"][case.reference]),
        "letter": lambda case: changed(case, answer="AB"[case.reference]),
        "letter in brackets": lambda case: changed(case, answer=f"({'AB'[case.reference]})"),
        "options by letters": lambda case: changed(
            case, options=dict(zip("AB", case.record["options"], strict=True)), answer="AB"[case.reference]
        ),
        "numbers, text of one is another's position": lambda case: changed(
            case, refused="answer", options=["2", "1", "0"], answer=2
        ),
        "numbers, beyond the positions": lambda case: changed(case, reference=1, options=[7, 8], answer=8),
        "position from 1": lambda case: changed(case, refused="answer", answer=2),
        "negative position": lambda case: changed(case, refused="answer", answer=-1),
        "another text": lambda case: changed(case, refused="answer", answer="elephant"),
        "boolean": lambda case: changed(case, refused="answer", answer=True),
        "null": lambda case: changed(case, refused="answer", answer=None),
        "one option": lambda case: changed(case, refused="options", options=["teal"], answer=0),
        "equal options": lambda case: changed(case, refused="options", options=["teal", "Teal"], answer=0),
        "options equal but for an accent's characters": lambda case: changed(
            case, refused="options", options=["caf\u00e9", "cafe\u0301"], answer=0
        ),
        "options equal but for an unseen sign": lambda case: changed(
            case, refused="options", options=["teal", "te\u200bal"], answer=0
        ),
        "blank option": lambda case: changed(case, refused="options", options=["teal", ""], answer=0),
        "options as text": lambda case: changed(case, refused="options", options="teal, gold", answer=0),
        "missing": lambda case: without(case, "options"),
    },
    "grounding": {
        "width and height": lambda case: changed(case, refused="box", box=[40, 40, 10, 10]),
        "outside": lambda case: changed(case, refused="box", box=[0, 0, 65, 10]),
        "fractions": lambda case: changed(case, refused="box", box=[0.1, 0.1, 0.6, 0.6]),
        "three numbers": lambda case: changed(case, refused="box", box=[1, 2, 3]),
        "texts": lambda case: changed(case, refused="box", box=["1", "2", "3", "4"]),
        "null": lambda case: changed(case, refused="box", box=None),
        "size missing": lambda case: without(case, "size"),
        "size of floats": lambda case: changed(case, refused="size", size=[64.5, 64]),
        "size of three": lambda case: changed(case, refused="size", size=[64, 64, 3]),
    },
}
CASES = [(family, name) for family in FAMILIES for name in (*GENERAL, *OWN[family])]


def written(records: list[Record], form: str) -> tuple[str, list[int]]:
    """Write records in a form; return the text and the line of each."""
    dumped = [json.dumps(record) for record in records]
    match form:
        case "lines":
            return "\n".join(dumped), list(range(1, len(dumped) + 1))
        case "lines, some empty":
            return "\n" + "\n\n".join(dumped) + "\n\n", list(range(2, 2 * len(dumped) + 1, 2))
        case _:
            return "[\n" + ",\n".join(dumped) + "\n]\n", list(range(2, len(dumped) + 2))


def encoded(text: str, encoding: str) -> bytes:
    match encoding:
        case "gzip":
            return gzip.compress(text.encode())
        case "BOM":
            return codecs.BOM_UTF8 + text.encode()
        case _:
            return text.encode(encoding)


@tries("own sets", few=120)
@given(
    case=st.sampled_from(CASES),
    form=st.sampled_from(["lines", "lines, some empty", "list"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "BOM", "gzip"]),
    count=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_records_are_read_as_they_are_meant_or_refused_by_line_and_field(
    case: tuple[str, str], form: str, encoding: str, count: int, seed: int, tmp_path: Path
) -> None:
    family, name = case
    chance = random.Random(seed)
    cases = [well_formed(family, number, chance) for number in range(count)]
    at = chance.randrange(count)
    cases[at] = ({**GENERAL, **OWN[family]})[name](cases[at])
    text, lines = written([one.record for one in cases], form)
    file = tmp_path / "mine.json"
    file.write_bytes(encoded(text, encoding))
    files = find_files(family, (), [file])
    if cases[at].refused is not None:
        with pytest.raises(InputError) as refused:
            FAMILIES[family].examples(files)
        error = refused.value
        (problem,) = error.problems if isinstance(error, InputProblemsError) else (error,)
        assert str(problem.place).startswith(f"{file}:{lines[at]}")
        assert problem.key == cases[at].refused
        return
    examples = FAMILIES[family].examples(files)
    assert [(one.question, one.image, one.reference) for one in examples] == [
        (one.question, one.image, one.reference) for one in cases
    ]
    for protocol in FAMILIES[family].protocols.values():
        if not protocol.options(examples[at]):
            said = unsayable(protocol, examples, LEXICON)
            assert len(said.unknown) == sum(one.says_unknown for one in cases)
            assert said.words == ((UNKNOWN,) if cases[at].says_unknown else ())


FILES: dict[str, Callable[[list[str]], str]] = {
    "cut off": lambda dumped: "\n".join(dumped)[:-3],
    "list cut off": lambda dumped: "[" + ",\n".join(dumped),
    "no commas": lambda dumped: "[" + "\n".join(dumped) + "]",
    "comma at the end": lambda dumped: "[" + ",\n".join(dumped) + ",\n]",
    "something behind": lambda dumped: "[" + ",\n".join(dumped) + "]\nmore",
    "not a number": lambda dumped: "\n".join([*dumped, '{"id": NaN}']),
    "a key twice": lambda dumped: "\n".join([*dumped, '{"id": 90, "id": 91}']),
    "the same id again": lambda dumped: "\n".join([*dumped, dumped[0]]),
    "a list of lists": lambda dumped: "[[" + ",".join(dumped) + "]]",
    "an object of records": lambda dumped: '{"data": [' + ",".join(dumped) + "]}",
    "numbers": lambda dumped: "1\n2\n",
    "nothing": lambda dumped: "\n\n",
    "a web page": lambda dumped: "<html><body>Not found</body></html>",
    "a pointer": lambda dumped: "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
}


@tries("own sets", few=60)
@given(
    family=st.sampled_from(sorted(FAMILIES)),
    damage=st.sampled_from(sorted(FILES)),
    count=st.integers(2, 5),
    seed=st.integers(0, 10**6),
)
def test_files_that_are_not_whole_are_refused_by_name(
    family: str, damage: str, count: int, seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    dumped = [json.dumps(well_formed(family, number, chance).record) for number in range(count)]
    file = tmp_path / "mine.jsonl"
    file.write_text(FILES[damage](dumped))
    with pytest.raises(InputError, match=r"must") as refused:
        FAMILIES[family].examples(find_files(family, (), [file]))
    assert str(file) in str(refused.value)
