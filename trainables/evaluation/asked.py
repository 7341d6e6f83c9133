"""Examples of an evaluation source after it has been prepared: what an evaluation inside a trial asks.

asked = open_examples(benchmark_spec, prepared_source)
for example, row in zip(asked.examples, asked.image_rows):      # row -1: no image
    ... asked.protocol.prompt(example), asked.protocol.options(example) ...
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec, SourceSpec
from trainables.benchmarks.contract import Benchmark, Example, Protocol
from trainables.benchmarks.slim import slim_positions

if TYPE_CHECKING:
    from trainables.data.prepared import PreparedSource

READERS = ("official", "questions")
"""Readers of sources whose records are examples of a benchmark."""


@dataclass(frozen=True)
class Asked:
    """What a study asks of one benchmark."""

    benchmark: Benchmark
    protocol: Protocol
    examples: Sequence[Example]
    """Selected and, where a sample is asked for, drawn; in the order of the reference files."""
    image_rows: Sequence[int]
    """Row of each example's image in the prepared source; -1 for none."""


def is_evaluation(source: SourceSpec) -> bool:
    return source.reader in READERS


def find_protocol(spec: BenchmarkSpec) -> tuple[Benchmark, Protocol]:
    """What a study's benchmark is scored as. Raises InputError for names that do not exist."""
    from trainables.benchmarks.registry import find_benchmark

    benchmark = find_benchmark(str(spec.source.options.get("benchmark", "")))
    return benchmark, benchmark.protocol(spec.protocol)


def open_examples(spec: BenchmarkSpec, source: PreparedSource) -> Asked:
    """Raises InputError if nothing is left after `select`."""
    benchmark, protocol = find_protocol(spec)
    rows = list(range(len(source))) if spec.select is None else source.rows_with(spec.select)
    if not rows:
        raise InputError(
            f"a benchmark must have at least one example, but none of {spec.source.declared} has the tag"
            f" {spec.select!r}",
            key=f"benchmarks.{spec.id}",
        )
    examples = list(map(load_example, source.examples(rows)))
    if spec.sample is not None:
        groups = [example.groups for example in examples]
        chosen = slim_positions(spec.id, groups, benchmark.strata, spec.sample)
        examples, rows = [examples[at] for at in chosen], [rows[at] for at in chosen]
    return Asked(benchmark, protocol, examples, [int(source.image_rows[row]) for row in rows])


def dump_example(example: Example) -> str:
    return json.dumps(asdict(example), sort_keys=True, separators=(",", ":"))


def load_example(text: str) -> Example:
    fields: dict[str, Any] = json.loads(text)
    return Example(**{**fields, "options": tuple(fields["options"])})


def right_answer(example: Example) -> str:
    """A right answer as text: of several people's the most frequent, of a box its corners."""
    reference = example.reference
    if isinstance(reference, dict):
        reference = reference.get("answer", reference.get("answers", reference.get("box")))
    if isinstance(reference, list) and reference and isinstance(reference[0], str):
        return str(Counter(reference).most_common(1)[0][0])
    if example.options and isinstance(reference, int):
        return example.options[reference]
    return reference if isinstance(reference, str) else json.dumps(reference)
