"""Define benchmarks and protocols: read official files, ask, parse and score outputs, summarise rows. No torch.

A benchmark is one module with one `Benchmark` object, entered in `registry.py`. Its protocols are objects of their own,
because a prompt, a parser and a formula belong together: a number means nothing without them. Everything here works on
plain values, so that predictions made anywhere can be scored, and an evaluation inside a trial does the same things:

    examples = benchmark.examples(files)
    protocol = benchmark.protocol("official")
    prompt, options = protocol.prompt(example), protocol.options(example)    # no options: generate freely
    parsed = protocol.parse(output, example)                                 # of likelihoods: the chosen option
    score = protocol.score(parsed, example)                                  # 0 to 1
    metrics = protocol.summarise(rows).metrics
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.errors import InputError, nearest
from trainables.benchmarks.files.reference_files import WantedFile
from trainables.benchmarks.model_text import ModelText

if TYPE_CHECKING:
    from trainables.benchmarks.files.reference_files import ReferenceFiles

POINTS = "points"
"""Unit of accuracies: 0 to 100."""


@dataclass(frozen=True, slots=True)
class Example:
    """Question of a benchmark with its reference; all values are plain, so that it can be stored as JSON."""

    id: str
    cluster: str
    """The image: examples of one image are not independent."""
    image: str | None
    """Path below the benchmark's folder of images; None where there is no image."""
    question: str
    """The question, expression or caption alone: protocols make prompts of it."""
    options: tuple[str, ...] = ()
    """Texts of the choices that belong to the example; not those of a protocol."""
    reference: Any = None
    """What the protocols of this benchmark score against."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Kind of group -> the example's group (`split`, `answer_type`): results are given for each."""
    counted: bool = True
    """Whether it counts in every protocol (GQA: the balanced questions)."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Value that a protocol reads from an output."""

    value: Any
    """What is scored, as a plain value; None if there is none."""
    ok: bool = True
    """Whether the output could be read at all. Some protocols score what they cannot read (POPE: it is a yes)."""


UNPARSABLE = Parsed(None, ok=False)


class Row(NamedTuple):
    """Example with its prediction and score."""

    example: Example
    prediction: str
    """The output as text; of likelihoods the chosen option."""
    parsed: Parsed
    score: float
    likelihoods: Mapping[str, float] | None = None
    """Option -> score, where options were ranked: larger is likelier. Curves need them."""
    is_read: bool = True
    """Whether the protocol read the output, and read the answer that stands in it (`scoring.score_example`)."""


class Summary(NamedTuple):
    """Metrics over rows, with warnings about them."""

    metrics: dict[str, float]
    warnings: tuple[str, ...] = ()
    """What a reader of the numbers must know: a ratio without a denominator, boxes outside of their image."""


def _no_options(example: Example) -> tuple[str, ...]:
    return ()


def by_id(example: Example) -> Hashable:
    """Tell all examples apart: a parser may look at anything in them."""
    return example.id


def of_one_kind(example: Example) -> Hashable:
    """Tell no examples apart: a parser looks at the output alone."""
    return ()


def by_options(example: Example) -> Hashable:
    """Tell examples apart by their options, the only part that a parser looks at."""
    return example.options


def _is_counted(example: Example) -> bool:
    return example.counted


@dataclass(frozen=True)
class Protocol:
    """Prompt, parser, score and metrics of a benchmark. A change of what they do raises `version`."""

    about: str
    """Whose it is, and what it does to outputs and references."""
    prompt: Callable[[Example], str]
    """The question as the model gets it, without the model's own chat format."""
    parse: Callable[[str, Example], Parsed]
    """Read an output. It reads the same text alike for all examples of a kind (`kind`)."""
    score: Callable[[Parsed, Example], float]
    """From 0 to 1."""
    summarise: Callable[[Sequence[Row]], Summary]
    """Metrics of the rows, in the order of the reference files. Zero denominators give 0 and a warning."""
    headline: str = "accuracy"
    """The metric that people quote."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Units of metrics other than `points` (0 to 100), by the name before any slash."""
    options: Callable[[Example], tuple[str, ...]] = _no_options
    """What is ranked by likelihood (of the first token, if they differ there); none: generate."""
    max_new_tokens: int = 16
    model_text: ModelText = "strip"
    """What the harness does to a model's decoded text before it parses it. Special tokens are left out always.

    Files of predictions hold what came out of that: they are scored as they stand.
    """
    version: int = 1

    kind: Callable[[Example], Hashable] = by_id
    """What `parse` looks at in an example: a text that is tried on many examples is parsed once for each kind."""
    counts: Callable[[Example], bool] = _is_counted
    """Whether the headline metric and the per-example results hold an example."""

    def unit(self, metric: str) -> str:
        return self.units.get(metric.split("/")[0], POINTS)


@dataclass(frozen=True)
class Totals:
    """Published numbers of examples and images."""

    examples: tuple[int, ...]
    """One of them: some sets are in use in two versions."""
    images: int | None = None


@contextmanager
def without_collection() -> Iterator[None]:
    """Disable the garbage collector: reading makes millions of values without cycles, each collection visits all."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class Benchmark:
    """Evaluation set: its files, how they are read, and its protocols."""

    id: str
    title: str
    split: str
    """The split that is read by default."""
    files: tuple[WantedFile, ...]
    images: str
    """Where the images come from, and under which path an example names them."""
    totals: Totals
    read: Callable[[ReferenceFiles, str | None], list[Example]]
    """Examples of a split (None: the default one), in the order of the files. Raises InputError only."""
    protocols: Mapping[str, Protocol]
    splits: tuple[str, ...] = ()
    """Other splits that the same files hold."""
    folder: str = ""
    """Name of its folder below a folder of all benchmarks; by default its id."""
    strata: tuple[str, ...] = ()
    """Kinds of groups that a slim subset keeps in proportion."""

    def examples(self, files: ReferenceFiles, split: str | None = None) -> list[Example]:
        """Read the examples of a split. Raises InputError if there are none, or if an id occurs twice."""
        with without_collection():
            examples = self.read(files, split)
        twice = [name for name, count in Counter(example.id for example in examples).items() if count > 1]
        if twice:
            raise InputError(
                f"every example must have an id of its own, but {len(twice)} are there again: {', '.join(twice[:20])}",
                place=", ".join(map(str, files.paths[:3])),
            )
        if not examples:
            raise InputError("references must hold at least one example, but hold none", key=self.id)
        return examples

    def protocol(self, name: str) -> Protocol:
        """Find a protocol by its name. Raises InputError naming the legal ones."""
        try:
            return self.protocols[name]
        except KeyError:
            raise InputError(
                f"the protocol of {self.id} must be one of {', '.join(self.protocols)}, but got {name!r}",
                key="protocol",
                way_out=nearest(name, self.protocols),
            ) from None
