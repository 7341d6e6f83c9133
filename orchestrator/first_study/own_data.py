"""Read training data and a test set of somebody's own, and say what a study of them must know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces.errors import InputError, Problems
from search_spaces.families import FAMILY_PROTOCOL, Family
from search_spaces.spec import ReaderKind, SourceSpec
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.example_json import load_example, right_answer
from trainables.benchmarks.files.record_lines import read_record_lines
from trainables.benchmarks.sets.families import FAMILIES
from trainables.data.checked_images import default_threads
from trainables.data.decode import shown_size
from trainables.data.pace import Progress
from trainables.data.readers import HasImageFiles, Reader, open_reader
from trainables.data.survey import survey
from trainables.data.tally import Tally, evenly
from trainables.evaluation.prompt_forms import unseen_forms
from trainables.storage.records import Counts

_SHOWN = 20
"""Problems of each kind that are shown."""
_LOOKED_FOR = 100
"""Images that are looked for to tell in which folder they lie."""
_MEASURED_IMAGES = 200
"""Training images whose size is looked at."""


@dataclass(frozen=True)
class OwnData:
    """Training records and questions of somebody's own, as the readers of this program read them."""

    training: SourceSpec
    test: SourceSpec
    training_counts: Counts
    test_counts: Counts
    family: Family
    """How the questions are scored."""
    protocol: str
    """How they are asked: as the training questions are, where one of the family's protocols does."""
    examples: tuple[Example, ...]
    shared_images: int
    """Images of the test set, by their bytes, that are in the training data, too."""
    side_px: int
    """Median of the longer sides of training images; 0 where there are none."""
    unlike_training: tuple[str, ...]
    """What of the prompts no training question has, or the other way round."""

    @property
    def answers(self) -> int:
        """Distinct right answers."""
        return len({right_answer(example) for example in self.examples})

    @property
    def asked(self) -> Protocol:
        """The protocol that asks and scores the questions."""
        return FAMILIES[self.family].protocols[self.protocol]

    def training_texts(self) -> Iterator[str]:
        """Read all questions and answers of the training data again."""
        for record in open_reader(self.training, Path()).records():
            for turn in record.turns:
                yield from turn


def read_own_data(
    training: SourceSpec, test: Path, images: Path | None, family: Family | None, progress: Callable[[str], Progress]
) -> OwnData:
    """Read every record and every image of both, with the readers and decoders that a run uses.

    Args:
        training: file of conversations as a source with absolute paths, named `<study>-train`.
        test: file of questions.
        images: folder in which the paths of images start; None for the file's own, or the folder `images` in it.
        family: how questions are scored; None to tell by their fields.
        progress: makes the receiver of how far the reading of a file is, from the file's name.

    Raises:
        InputError: everything in both that cannot be read or used, the first twenty of each kind.
    """
    problems = Problems()
    read = problems.attempt(lambda: _read(training, progress))
    chosen = problems.attempt(lambda: family or family_of(test))
    name = f"{training.name.removesuffix('-train')}-test"
    asked = problems.attempt(lambda: _read(_test_source(name, test, images, chosen), progress)) if chosen else None
    problems.raise_all()
    assert read is not None
    assert chosen is not None
    assert asked is not None
    examples = tuple(load_example(record.example) for record in asked.reader.records())
    protocol, unlike = _protocol(chosen, examples, read.questions)
    return OwnData(
        training=read.source,
        test=asked.source,
        training_counts=read.tally.counts(),
        test_counts=asked.tally.counts(),
        family=chosen,
        protocol=protocol,
        examples=examples,
        shared_images=len(set(read.tally.picture_digests()) & set(asked.tally.picture_digests())),
        side_px=_median_side(read),
        unlike_training=unlike,
    )


def training_source(name: str, file: Path, reader: ReaderKind, images: Path | None) -> SourceSpec:
    """Describe a file of conversations as a source with absolute paths.

    Args:
        name: of the source.
        file: of the records.
        reader: of its format.
        images: folder in which the paths of images start; None for the file's own, or the folder `images` in it.
    """
    source = SourceSpec(name=name, version="1", reader=reader, path=str(file.absolute()))
    if reader == "parquet":
        return source  # it holds its images
    return source.model_copy(update={"image_folder": str(_image_folder(source, file, images))})


def _test_source(name: str, file: Path, images: Path | None, family: Family) -> SourceSpec:
    source = SourceSpec(
        name=name, version="1", reader="questions", path=str(file.absolute()), options={"benchmark": family}
    )
    return source.model_copy(update={"image_folder": str(_image_folder(source, file, images))})


def _image_folder(source: SourceSpec, file: Path, images: Path | None) -> Path:
    """Choose where the paths of images start: in the folder that has more of the first of them."""
    if images is not None:
        return images.absolute()
    own = file.absolute().parent
    try:
        records = open_reader(source.model_copy(update={"image_folder": str(own)}), Path()).records(lambda _: None)
        first = list(islice((record.image for record in records if record.image is not None), _LOOKED_FOR))
    except InputError:
        return own  # what is wrong is told when all of it is read
    return max((own, own / "images"), key=lambda folder: sum((folder / image).exists() for image in first))


def family_of(file: Path) -> Family:
    """Tell by the fields of its records how a file of questions is scored.

    Raises:
        InputError: the file cannot be read, or its records have no field with an answer.
    """
    records = [line.value for line in read_record_lines(file)]
    fields = set[str]().union(*(record.keys() for record in records if isinstance(record, dict)))
    for field, family in _FAMILY_OF_FIELD.items():
        if field in fields:
            return family
    if "answer" in fields:
        return _family_of_answers([record.get("answer") for record in records if isinstance(record, dict)])
    law = "every record must hold a question and its answer, but none has `answer`, `answers`, `options` or `box`"
    way_out = 'One question is one line: {"id": 1, "image": "a.png", "question": "What is it?", "answer": "fox"}.' + (
        " Conversations, as they are here, are for --train." if {"conversations", "messages"} & fields else ""
    )
    raise InputError(law, place=str(file), key="--test", way_out=way_out)


_FAMILY_OF_FIELD: Mapping[str, Family] = {"box": "grounding", "options": "multiple-choice", "answers": "vqa"}


def _family_of_answers(answers: Sequence[Any]) -> Family:
    if any(isinstance(answer, list) and len(answer) > 1 for answer in answers):
        return "vqa"
    words = {str(answer).strip().rstrip(".").lower() for answer in answers}
    if words <= {"yes", "no", "true", "false"}:
        return "yes-no"
    return "counting" if all(word.isascii() and word.isdigit() for word in words) else "exact"


class _Source(NamedTuple):
    """A source of which everything was read."""

    source: SourceSpec
    reader: Reader
    tally: Tally

    def questions(self) -> Iterator[str]:
        """Read all questions again."""
        return (question for record in self.reader.records() for question, _ in record.turns)


def _read(source: SourceSpec, progress: Callable[[str], Progress]) -> _Source:
    """Read all of a source. Raises InputError with everything in it that cannot be read or used."""
    reader = open_reader(source, Path())
    tally = survey(source, reader, default_threads(), progress(Path(str(source.path)).name))
    Problems(_problems_of(source, reader, tally)).raise_all()
    return _Source(source, reader, tally)


def _problems_of(source: SourceSpec, reader: Reader, tally: Tally) -> Iterator[InputError]:
    if tally.refused:
        law = f"every record must be readable, but {len(tally.refused):,} are not:{_shown(tally.refused)}"
        yield InputError(law, place=source.path)
    if tally.problems:
        law = f"every image must be there and readable, but {len(tally.problems):,} are not:{_shown(tally.problems)}"
        folder = reader.image_folder if isinstance(reader, HasImageFiles) else None
        way_out = f"Images were looked for in {folder}: --images names another folder." if folder else None
        yield InputError(law, place=source.path, way_out=way_out)
    if not tally.counted and not tally.refused:
        yield InputError("must hold at least one record, but is empty", place=source.path)


def _shown(lines: Sequence[str]) -> str:
    more = len(lines) - _SHOWN
    return "".join(f"\n  {line}" for line in (*lines[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])))


def _protocol(
    family: Family, examples: Sequence[Example], training: Callable[[], Iterator[str]]
) -> tuple[str, tuple[str, ...]]:
    """Choose the protocol that asks as the training questions do; where none does, also say in what they differ."""
    protocols = FAMILIES[family].protocols
    generating = [name for name in protocols if not protocols[name].options(examples[0])]
    unlike = {name: unseen_forms(protocols[name], examples, training) for name in generating}
    chosen = next((name for name in generating if not unlike[name]), FAMILY_PROTOCOL)
    return chosen, tuple(form.sentence("yours") for form in unlike.get(chosen, ()))


def _median_side(read: _Source) -> int:
    keys = evenly(list(read.tally.image_keys), _MEASURED_IMAGES)
    sides = sorted(max(shown_size(read.reader.image(key), read.source.pixels)) for key in keys)
    return sides[len(sides) // 2] if sides else 0
