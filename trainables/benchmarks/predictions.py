"""Read predictions made anywhere: `{"id", "prediction"}` or `{"id", "scores"}` per line, and the forms of other tools.

The other forms are the results files of the benchmarks' own servers and scripts, LLaVA's answers files, lmms-eval's
samples and VLMEvalKit's tables: `docs/benchmarks.md` lists what is read and how it is joined to the questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from search_spaces.errors import InputError
from trainables.benchmarks.answers.corners import BoxForm, as_corners, box_form
from trainables.benchmarks.answers.fields import (
    Answer,
    answer_field,
    answer_text,
    plain_answer,
    read_answer,
    with_known_names,
    words_of,
)
from trainables.benchmarks.answers.join import Joined, join
from trainables.benchmarks.answers.problems import KindsOfProblems
from trainables.benchmarks.answers.records import read_records
from trainables.benchmarks.contract import Example, Protocol, without_collection
from trainables.benchmarks.scorers.instructions import LETTERS

_SHOWN = 100
_PLAIN = "prediction"


class Prediction(NamedTuple):
    """Output for one example: a text, or scores of its options."""

    text: str | None
    """None where the options were ranked."""
    scores: Mapping[str, float] | None
    place: str
    """File and line, or file and position in its list."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of all files, by the id of their example."""

    by_id: dict[str, Prediction]
    """The first of each id."""
    repeated: tuple[str, ...]
    place: str
    notes: tuple[str, ...] = ()
    """How files in other forms than the plain one were read and joined, and what is odd about them."""


@without_collection()
def read_predictions(
    paths: Path | Sequence[Path], examples: Sequence[Example], boxes: BoxForm | None = None
) -> Predictions:
    """Read all predictions of files, and join them to their examples.

    Text is taken as it is; a number, a boolean or a list of numbers (a box) as its JSON text. null and objects are no
    predictions. Of several files, one whose name has a split's is about that split.

    Args:
        paths: one file or several.
        examples: the questions, in the order of the reference files.
        boxes: what four numbers in a list are; by default what they and their field show.

    Raises:
        InputError: what is no prediction, each kind once with its places; a file whose questions nothing names.
    """
    paths = [paths] if isinstance(paths, Path) else list(paths)
    by_id, repeated, notes = dict[str, Prediction](), dict[str, None](), list[str]()
    for path in paths:
        answers, field = _answers(path)
        asked = _examples_of(path, examples) if len(paths) > 1 else examples
        joined = join(answers, asked, str(path))
        answers, form = _with_corners(answers, joined, asked, field, boxes, str(path))
        _refuse_questions(answers, joined, asked, field, str(path))
        for name, answer in zip(joined.names, answers, strict=True):
            if name in by_id:
                repeated[name] = None
            else:
                by_id[name] = Prediction(answer.text, answer.scores, answer.place)
        notes += [f"{path.name}: {note}" for note in _notes(answers, joined, field, form)]
    return Predictions(by_id, tuple(repeated), ", ".join(map(str, paths)), tuple(notes))


def _answers(path: Path) -> tuple[list[Answer], str]:
    """Read the answers of a file, all from one field."""
    records, answers, problems = read_records(path), [], KindsOfProblems()
    fields: dict[str, str] = {}
    for place, record in records:
        plain = plain_answer(record, place)
        if plain is not None:
            fields.setdefault(_PLAIN, place)
            answers.append(plain)
            continue
        try:
            named = with_known_names(record)
            key = answer_field(named)
            fields.setdefault(key, place)
            answers.append(read_answer(named, key, place))
        except InputError as error:
            problems.add_error(error, place)
    if len(fields) > 1 and set(fields) != {_PLAIN, "scores"}:
        (first, _), (second, place), *_ = fields.items()
        problems.add(f"answers must be in one field of all records, but are in {first}, and here in {second}", place)
    problems.raise_all()
    return answers, next(iter(fields))


def _examples_of(path: Path, examples: Sequence[Example]) -> Sequence[Example]:
    """Select the examples of the split that is in a file's name, where their ids have splits."""
    splits = {example.id.rpartition("/")[0] for example in examples} - {""}
    named = [split for split in splits if split.lower() in path.name.lower()]
    return [e for e in examples if e.id.rpartition("/")[0] == named[0]] if len(named) == 1 else examples


def _with_corners(
    answers: list[Answer], joined: Joined, examples: Sequence[Example], field: str, boxes: BoxForm | None, place: str
) -> tuple[list[Answer], BoxForm]:
    """Turn boxes of x, y, width and height into corners, where they are such."""
    if all(answer.box is None for answer in answers):
        return answers, "corners"
    by_id = {example.id: example for example in examples}
    form = boxes or box_form(answers, by_id, joined.names, field, place)
    if form == "corners":
        return answers, form
    turned = [
        answer if answer.box is None else answer._replace(text=answer_text(as_corners(answer.box), field))
        for answer in answers
    ]
    return turned, form


def _refuse_questions(
    answers: Sequence[Answer], joined: Joined, examples: Sequence[Example], field: str, place: str
) -> None:
    """Refuse a file of questions, whose texts would be taken for answers."""
    long = [(n, a.text) for n, a in zip(joined.names, answers, strict=True) if a.text and len(a.text) > 10]
    if 2 * len(long) <= len(answers):
        return
    questions = {example.id: example.question for example in examples}
    same = [name for name, text in long if _repeats(text, questions.get(name, ""))]
    if 2 * len(same) > len(answers):
        law = f"must be answers, but {len(same):,} of {len(answers):,} are the questions themselves, e.g. {same[0]}"
        raise InputError(law, place=place, key=field)


def _repeats(text: str, question: str) -> bool:
    words = words_of(question)
    return bool(words) and words_of(text).startswith(words)


def _notes(answers: Sequence[Answer], joined: Joined, field: str, form: BoxForm) -> list[str]:
    notes = list(joined.notes)
    if field not in (_PLAIN, "scores") or joined.how != "by id":
        notes.insert(0, f"answers are read from {field}, and joined {joined.how}")
    if form == "xywh":
        notes.append("boxes are read as x, y, width, height")
    empty = [name for name, answer in zip(joined.names, answers, strict=True) if answer.text == ""]
    if empty:
        notes.append(f"{len(empty):,} of {len(answers):,} answers are empty, e.g. {empty[0]}")
    return notes


def check_ids(examples: Sequence[Example], predictions: Predictions) -> None:
    """Check that every example has exactly one prediction. Raises InputError with all ids for which that fails."""
    wanted = [example.id for example in examples]
    known = set(wanted)
    troubles = {
        "missing": [name for name in wanted if name not in predictions.by_id],
        "extra": [name for name in predictions.by_id if name not in known],
        "duplicated": list(predictions.repeated),
    }
    if any(troubles.values()):
        listing = "\n".join(f"  {len(ids):,} {kind}: {_listed(ids)}" for kind, ids in troubles.items() if ids)
        raise InputError(
            f"every one of the {len(known):,} examples must have exactly one prediction, but\n{listing}",
            place=predictions.place,
        )


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def chosen(prediction: Prediction, example: Example, protocol: Protocol) -> tuple[str, Mapping[str, float] | None]:
    """Choose the text that is scored, and name the options' scores as the protocol does.

    The first of the likeliest options is chosen, in the order of the protocol, or of the file where it has none.
    Options are called by the protocol's names (in any case) or, where these are letters, by what they stand for.

    Args:
        prediction: a text, or scores of options.
        example: the question.
        protocol: names the options, if it has any.

    Raises:
        InputError: scores of other options than the protocol's.
    """
    if prediction.scores is None:
        assert prediction.text is not None
        return prediction.text, None
    options = protocol.options(example)
    if not options:
        return max(prediction.scores, key=prediction.scores.__getitem__), prediction.scores
    scores = _named(prediction.scores, options, _texts_of(options, example))
    if scores is None:
        raise InputError(
            f"the scores of {example.id} must be those of {', '.join(options)},"
            f" but are those of {', '.join(prediction.scores)}",
            key="scores",
        )
    return max(options, key=scores.__getitem__), scores


def _texts_of(options: Sequence[str], example: Example) -> Sequence[str]:
    """List the texts that lettered options stand for; none where the options are no letters."""
    if tuple(options) != tuple(LETTERS[: len(options)]):
        return ()
    return example.options or [str(number) for number in range(len(options))]


def _named(scores: Mapping[str, float], options: Sequence[str], texts: Sequence[str]) -> dict[str, float] | None:
    by_name = {name.strip().casefold(): score for name, score in scores.items()}
    for names in (options, texts):
        keys = [name.strip().casefold() for name in names]
        if len(by_name) == len(scores) == len(keys) == len(set(keys)) and set(keys) == set(by_name):
            return {option: by_name[key] for option, key in zip(options, keys, strict=True)}
    return None
