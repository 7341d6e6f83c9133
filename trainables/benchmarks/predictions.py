"""Read predictions made anywhere: JSON Lines of `{"id", "prediction"}` or `{"id", "scores": {option: number}}`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError, Problems
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.scorers.instructions import LETTERS

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output for one example: a text, or scores of its options."""

    text: str | None
    """None where the options were ranked."""
    scores: Mapping[str, float] | None
    line: int


@dataclass(frozen=True)
class Predictions:
    """Predictions of a file, by the id of their example."""

    by_id: dict[str, Prediction]
    """The first of each id."""
    repeated: tuple[str, ...]
    place: str


def read_predictions(path: Path) -> Predictions:
    """Read all predictions of a file.

    Text is taken as it is; a number, a boolean or a list of numbers (a box) as its JSON text. null and objects are no
    predictions.

    Raises:
        InputError: a line that is none, with its number; the first 20 of them together.
    """
    by_id, repeated, problems = dict[str, Prediction](), dict[str, None](), Problems()
    for number, line in _lines(path):
        try:
            name, prediction = _prediction(line, number)
        except InputError as error:
            problems.add(InputError(error.law, place=f"{path}:{number}", key=error.key))
            if len(problems) == 20:
                break
            continue
        if name in by_id:
            repeated[name] = None
        else:
            by_id[name] = prediction
    problems.raise_all()
    return Predictions(by_id, tuple(repeated), str(path))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise InputError(f"must be readable, but {error.strerror or error}", place=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"must be UTF-8 text, but {error}", place=str(path)) from error


def _prediction(line: str, number: int) -> tuple[str, Prediction]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"must be one JSON object per line, but {error}") from error
    if not isinstance(row, dict):
        raise InputError('must be an object with "id" and "prediction" or "scores"')
    name = row.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise InputError("must be text or a whole number", key="id")
    if ("prediction" in row) == ("scores" in row):
        raise InputError('must have either "prediction" or "scores"')
    if "scores" in row:
        return _name(name), Prediction(None, _scores(row["scores"]), number)
    return _name(name), Prediction(_text(row["prediction"]), None, number)


def _name(value: str | int) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python refuses to write out integers of more than 4,300 digits
        raise InputError("must be a shorter number", key="id") from error


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    plain = isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    if isinstance(value, int | float) or plain:
        try:
            return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
        except ValueError as error:
            raise InputError("must be a shorter number", key="prediction") from error
    raise InputError("must be text, a number, a boolean or a list of numbers", key="prediction")


def _scores(value: Any) -> dict[str, float]:
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
