"""Read small official files and score outputs on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scoring import Scored, score_example, summarise


def read(name: str, folder: Path, split: str | None = None) -> list[Example]:
    """Read the examples of a benchmark from its official files in a folder."""
    benchmark = BENCHMARKS[name]
    return benchmark.examples(find_files(name, benchmark.files, [folder]), split)


def scored(
    name: str,
    protocol: str,
    examples: list[Example],
    outputs: list[str],
    likelihoods: Sequence[Mapping[str, float] | None] | None = None,
) -> Scored:
    """Score one output per example under a protocol; `likelihoods` are those of the options, where they are ranked."""
    definition = BENCHMARKS[name].protocol(protocol)
    each = likelihoods or [None] * len(outputs)
    rows = [score_example(definition, *of) for of in zip(examples, outputs, each, strict=True)]
    return summarise(BENCHMARKS[name], protocol, rows)


def points(name: str, protocol: str, examples: list[Example], *outputs: str) -> float:
    """Give the accuracy of one output per example, in points."""
    return scored(name, protocol, examples, list(outputs)).metrics["accuracy"]
