"""The program's own readers and scorers take the miniature for the real sets."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from search_spaces.spec import SourceSpec
from tests.support.small_miniature import NAMES, SMALL, folder, of
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.registry import BENCHMARKS
from trainables.data.readers import open_reader
from trainables.miniature.generate import SETS, pages
from trainables.miniature.question_forms import Page, SceneQuestion

BOXES = ("refcoco", "refcoco+", "refcocog")
DRAWN = [benchmark.id for benchmark in BENCHMARKS.values() if (benchmark.folder or benchmark.id) in SETS]
"""Benchmarks that have a miniature."""


def examples_of(benchmark: str) -> list[Example]:
    known = BENCHMARKS[benchmark]
    return known.read(find_files(benchmark, known.files, [of(benchmark.removesuffix("-ocr"))]), None)


def in_file_order(page: Page) -> list[SceneQuestion]:
    """Order questions for boxes by the things of an image, in which the files list them."""
    return (
        sorted(page.questions, key=lambda a: page.scene.things.index(a.things[0]))
        if a_box(page)
        else list(page.questions)
    )


def a_box(page: Page) -> bool:
    return page.questions[0].skill == "box" and page.scene.scale == 1


@pytest.mark.parametrize("benchmark", DRAWN)
def test_a_trial_s_reader_finds_every_example_and_its_image_with_no_option_but_the_benchmark(benchmark: str) -> None:
    path = f"benchmarks/{benchmark.removesuffix('-ocr')}"
    source = SourceSpec(name="mini", version="1", reader="official", path=path, options={"benchmark": benchmark})
    reader = open_reader(source, folder())
    records = list(reader.records())
    assert [record.id for record in records] == [example.id for example in examples_of(benchmark)]
    assert len({record.id for record in records}) == len(records) > 0
    for key in {record.image for record in records}:
        assert key is not None
        assert Image.open(io.BytesIO(reader.image(key))).mode == "RGB"


@pytest.mark.parametrize("name", NAMES)
def test_training_prompts_are_those_of_the_prismatic_protocol_and_known_answers_score_one(name: str) -> None:
    protocol, examples = BENCHMARKS[name].protocol("prismatic"), examples_of(name)
    shown = [page for page in pages(SETS[name], SMALL) if name not in BOXES or page.number % 15 not in (6, 13)]
    turns = [SETS[name].turn(question) for page in shown for question in in_file_order(page)]
    if name == "pope":  # what is popular is only known when the set is written
        taught = {prompt for prompt, _ in turns}
        assert taught & {protocol.prompt(example) for example in examples}
        turns = [(protocol.prompt(e), {"yes": "Yes", "no": "No"}[e.reference]) for e in examples]
    for example, (prompt, answer) in zip(examples, turns, strict=True):
        assert protocol.prompt(example) == "\n".join(
            line for line in prompt.split("\n") if not line.startswith("Reference")
        )
        assert not protocol.options(example) or answer in protocol.options(example)
        assert protocol.score(protocol.parse(answer, example), example) == 1.0


def test_training_shows_ocr_tokens_as_the_prismatic_protocol_does() -> None:
    protocol = BENCHMARKS["textvqa-ocr"].protocol("prismatic")
    tested = {protocol.prompt(example) for example in examples_of("textvqa-ocr")}
    taught = {
        SETS["textvqa"].turn(question)[0] for page in pages(SETS["textvqa"], SMALL) for question in page.questions
    }
    with_tokens = {prompt for prompt in taught if "Reference OCR token" in prompt}
    assert with_tokens
    assert {_sorted_tokens(prompt) for prompt in with_tokens} <= {_sorted_tokens(prompt) for prompt in tested}


def _sorted_tokens(prompt: str) -> tuple[str, ...]:
    """Sort the tokens of a prompt, whatever the order in which they were read."""
    question, tokens, instruction = prompt.split("\n")
    return question, *sorted(tokens.removeprefix("Reference OCR token: ").split(", ")), instruction
