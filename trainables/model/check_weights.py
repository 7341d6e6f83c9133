"""Check pretrained weights and encoders before a study runs: ``python -m trainables.model.check_weights < REQUEST``.

A program of its own, so that the process that drives a study loads no deep-learning library, prints none of their
warnings, and gives its memory back. It reads a `WeightsRequest` as JSON and prints a `WeightsAnswer` as its last line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec, Spec, VisionSpec


class LanguageRequest(Spec):
    """Language model with a checkpoint, and what trials need of it."""

    language: LanguageSpec
    template: bool = False
    """Whether the tokenizer's own chat template is needed."""
    targets: tuple[str, ...] = ()
    """Names of layers that are to get adapters."""


class WeightsRequest(Spec):
    """Everything that is to be checked."""

    data_root: Path
    """Folder that declared origins of weights are relative to."""
    languages: tuple[LanguageRequest, ...] = ()
    encoders: tuple[VisionSpec, ...] = ()
    """Encoders of one tower."""


class Problem(Spec):
    """Fields of an InputError."""

    law: str
    place: str | None = None
    key: str | None = None
    way_out: str | None = None

    def error(self) -> InputError:
        """Return it as the error that it was."""
        return InputError(self.law, place=self.place, key=self.key, way_out=self.way_out)


class WeightsAnswer(Spec):
    """What was found, in the order of the request."""

    languages: tuple[tuple[Problem, ...], ...]
    encoders: tuple[tuple[Problem, ...], ...]


def check(request: WeightsRequest) -> WeightsAnswer:
    """Check all language models and encoders of a request."""
    from trainables.model.language_files import check_language
    from trainables.model.vision import check_encoder

    root = request.data_root
    languages = [
        _problems(lambda each=each: check_language(each.language, root, template=each.template, targets=each.targets))  # type: ignore[misc]
        for each in request.languages
    ]
    encoders = [_problems(lambda each=each: check_encoder(each, root)) for each in request.encoders]  # type: ignore[misc]
    return WeightsAnswer(languages=tuple(languages), encoders=tuple(encoders))


def _problems(run: Callable[[], None]) -> tuple[Problem, ...]:
    try:
        run()
    except InputError as error:
        return tuple(_flat(error))
    return ()


def _flat(error: InputError) -> Iterable[Problem]:
    for part in getattr(error, "problems", (error,)):
        if hasattr(part, "problems"):
            yield from _flat(part)
        else:
            yield Problem(law=part.law, place=part.place, key=part.key, way_out=part.way_out)


if __name__ == "__main__":
    asked = WeightsRequest.model_validate_json(sys.stdin.read())
    answer = check(asked)
    print(answer.model_dump_json())
