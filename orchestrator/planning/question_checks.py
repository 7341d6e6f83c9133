"""Check, before the first trial, that answers can be said and that benchmarks ask as the mix was asked.

To read all questions of a study takes seconds to minutes, and what comes of it follows from the specifications and from
the content of the data: storage remembers it, so that it is done once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.state.program import program_fingerprint
from search_spaces.errors import Problems
from search_spaces.identity import fingerprint, source_name, weights_name
from search_spaces.spec import BenchmarkSpec, LanguageSpec, MixSpec, TrialSpec
from trainables.package_versions import installed_versions
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.store import Store

if TYPE_CHECKING:
    from orchestrator.planning.asked_questions import AskedQuestions

Part = LanguageSpec | MixSpec | BenchmarkSpec

T = TypeVar("T")


@dataclass(frozen=True)
class CheckedQuestions:
    """`checked-questions.json`: what has passed, and with which warnings."""

    program: str
    """Fingerprint of the program that has checked it: another one may find other things."""
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fingerprint of what was checked, with the digests of its data -> what was found, which is no error."""


def check_questions(
    specs: Sequence[TrialSpec],
    asked: Sequence[BenchmarkSpec],
    digests: Mapping[str, str],
    store: Store,
    data_root: Path,
    report: Callable[[str], None],
) -> None:
    """Check that every answer can be said, and warn of words that are not known and of prompts unlike the training's.

    Args:
        specs: of the trials that are to run.
        asked: benchmarks and samples that they are to answer.
        digests: of all prepared sources and weights, by digest name; storage holds the sources whole.
        store: storage that holds the prepared sources, and remembers what has passed.
        data_root: folder in which relative paths of weights start.
        report: told each warning.

    Raises:
        InputError: right answers or training answers have words that a tokenizer does not know; the references of a
            benchmark let no answer be right under its protocol.
    """
    checks, problems = _Checks(digests, store, data_root), Problems()
    for language, mix in _once((spec.language, mix) for spec in specs for mix in _mixes(spec)):
        with problems.collected():
            checks.training_words(language, mix)
    for language, benchmark in _once((spec.language, benchmark) for spec in specs for benchmark in asked):
        with problems.collected():
            for warning in checks.benchmark_words(language, benchmark):
                report(f"warning: {warning}")
    for benchmark in _once(asked):
        with problems.collected():
            checks.reachable(benchmark)
    problems.raise_all()
    for mixes, benchmark in _once((_mixes(spec, asked=True), benchmark) for spec in specs for benchmark in asked):
        for warning in checks.prompts(mixes, benchmark):
            report(f"warning: {warning}")
    checks.remember()


def _mixes(spec: TrialSpec, *, asked: bool = False) -> tuple[MixSpec, ...]:
    """List the mixes of a trial's stages; only of those that train on questions, which `caption` drops, if `asked`."""
    return tuple(
        stage.data for stage in spec.stages if not asked or (stage.prompt or spec.language.prompt) != "caption"
    )


def _once(values: Iterable[T]) -> list[T]:
    """Keep the first of values that are written alike. What thousands of trials share is written once."""
    texts: dict[int, tuple[object, str]] = {}

    def text_of(value: object) -> str:
        if isinstance(value, tuple):
            return f"({','.join(map(text_of, value))})"
        if id(value) not in texts:
            texts[id(value)] = value, repr(value)  # the value too: no later one gets its id meanwhile
        return texts[id(value)][1]

    kept: dict[str, T] = {}
    for value in values:
        kept.setdefault(text_of(value), value)
    return list(kept.values())


class _Checks:
    """Checks of a study. What has passed on this storage before is not read again; what does not pass raises, always.

    Args:
        digests: of all prepared sources and weights, by digest name.
        store: storage that holds the prepared sources, and remembers what has passed.
        data_root: folder in which relative paths of weights start.
    """

    def __init__(self, digests: Mapping[str, str], store: Store, data_root: Path):
        self._digests, self._store, self._root = digests, store, data_root
        self._program = fingerprint({"program": program_fingerprint(), **installed_versions(("tokenizers",))})
        known = read_or_redo(store, layout.CHECKED_QUESTIONS, CheckedQuestions)
        self._known = dict(known.warnings) if known is not None and known.program == self._program else {}
        self._is_new = False

    def training_words(self, language: LanguageSpec, mix: MixSpec) -> None:
        self._warnings("training words", (language, mix), lambda: self._questions.training_words(language, mix))

    def benchmark_words(self, language: LanguageSpec, benchmark: BenchmarkSpec) -> Sequence[str]:
        parts = (language, benchmark)
        return self._warnings("benchmark words", parts, lambda: self._questions.benchmark_words(*parts))

    def reachable(self, benchmark: BenchmarkSpec) -> None:
        self._warnings("reachable", (benchmark,), lambda: self._questions.reachable(benchmark))

    def prompts(self, mixes: Sequence[MixSpec], benchmark: BenchmarkSpec) -> Sequence[str]:
        return self._warnings("prompts", (*mixes, benchmark), lambda: self._questions.prompts(mixes, benchmark))

    def remember(self) -> None:
        """Write what has passed to storage, for later runs."""
        if self._is_new:
            write(self._store, layout.CHECKED_QUESTIONS, CheckedQuestions(self._program, self._known))

    def _warnings(self, what: str, parts: Sequence[Part], check: Callable[[], Iterator[str] | None]) -> Sequence[str]:
        """Return the warnings of a check, which is only made where it has not passed before.

        Args:
            what: is checked.
            parts: of the study: all that the check looks at, beside the content of their data and weights.
            check: raises InputError, or returns its warnings.
        """
        mark = fingerprint({"what": what, "parts": [self._identity(part) for part in parts]})
        if mark not in self._known:
            self._known[mark] = tuple(check() or ())
            self._is_new = True
        return self._known[mark]

    @cached_property
    def _questions(self) -> AskedQuestions:
        from orchestrator.planning.asked_questions import AskedQuestions  # loads what reads data

        return AskedQuestions(self._digests, self._store, self._root)

    def _identity(self, part: Part) -> dict[str, object]:
        """Describe a part of a study, with the digests of the data and weights that it names."""
        match part:
            case LanguageSpec():
                names = [*map(source_name, part.tokenizer.vocabulary)]
                names += [weights_name(part.checkpoint)] if part.checkpoint else []
            case MixSpec():
                names = [source_name(each.source) for each in part.parts]
            case BenchmarkSpec():
                names = [source_name(part.source)]
        return {"spec": part.model_dump(mode="json"), "digests": [self._digests[name] for name in names]}
