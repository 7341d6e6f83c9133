"""Open the examples of an evaluation set that a study selects, after its source has been prepared.

selected = open_examples(benchmark_spec, prepared_source)
for example, row in zip(selected.examples, selected.image_rows):      # row -1: no image
    ... selected.protocol.prompt(example), selected.protocol.options(example) ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec
from trainables.benchmarks.contract import Benchmark, Example, Protocol
from trainables.benchmarks.example_json import load_example
from trainables.benchmarks.registry import find_protocol
from trainables.benchmarks.slim import slim_positions
from trainables.evaluation.chosen_rows import chosen_rows

if TYPE_CHECKING:
    from trainables.data.prepared import PreparedSource


@dataclass(frozen=True)
class SelectedExamples:
    """Examples of one benchmark that a study evaluates on, and the protocol that asks and scores them."""

    benchmark: Benchmark
    protocol: Protocol
    examples: Sequence[Example]
    """In the order of the reference files."""
    image_rows: Sequence[int]
    """Row of each example's image in the prepared source; -1 for none."""


def open_examples(spec: BenchmarkSpec, source: PreparedSource) -> SelectedExamples:
    """Select examples by tag, and those of them that the study names, or a sample if it has one.

    Raises InputError if none has the tag, or if a named one is not there.
    """
    benchmark, protocol = find_protocol(spec)
    rows = list(range(len(source))) if spec.select is None else source.rows_with(spec.select)
    if not rows:
        raise InputError(
            f"a benchmark must have at least one example, but none of {spec.source.declared} has the tag"
            f" {spec.select!r}",
            key=f"benchmarks.{spec.id}",
        )
    rows = chosen_rows(spec, source, rows)
    examples = list(map(load_example, source.examples(rows)))
    if spec.sample is not None:
        groups = [example.groups for example in examples]
        chosen = slim_positions(spec.id, groups, benchmark.strata, spec.sample)
        examples, rows = [examples[at] for at in chosen], [rows[at] for at in chosen]
    return SelectedExamples(benchmark, protocol, examples, [int(source.image_rows[row]) for row in rows])
