"""List the benchmarks that this program reads and scores, and find one by its name.

docs/benchmarks.md shows how to add one, with an example that the contract test runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.errors import InputError, nearest
from search_spaces.spec import BenchmarkSpec, ReaderKind, SourceSpec
from trainables.benchmarks.contract import Benchmark, Protocol
from trainables.benchmarks.sets import (
    ai2d,
    gqa,
    ocidref,
    open_answers,
    pope,
    refcoco,
    tallyqa,
    textvqa,
    vizwiz,
    vqav2,
    vsr,
)
from trainables.benchmarks.sets.families import FAMILIES

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.id: benchmark
    for benchmark in (
        vqav2.BENCHMARK,
        gqa.BENCHMARK,
        vizwiz.BENCHMARK,
        textvqa.PLAIN,
        textvqa.WITH_OCR,
        refcoco.PLAIN,
        refcoco.PLUS,
        refcoco.G,
        ocidref.BENCHMARK,
        vsr.BENCHMARK,
        pope.BENCHMARK,
        tallyqa.BENCHMARK,
        ai2d.BENCHMARK,
    )
}


def find_benchmark(name: str) -> Benchmark:
    """Find a benchmark, or a family for sets of a user's own, by its id. Raises InputError naming the legal ids."""
    families = {**FAMILIES, open_answers.BENCHMARK.id: open_answers.BENCHMARK}
    legal = {**BENCHMARKS, **families}
    try:
        return legal[name]
    except KeyError:
        raise InputError(
            f"benchmark must be one of {', '.join(BENCHMARKS)}, or a family ({', '.join(families)}), but got {name!r}",
            key="benchmark",
            way_out=nearest(name, legal),
        ) from None


EVALUATION_READERS: frozenset[ReaderKind] = frozenset({"official", "questions"})
"""Formats of sources whose records are examples of a benchmark."""


def is_evaluation(source: SourceSpec) -> bool:
    """Check whether the records of a source are examples of a benchmark."""
    return source.reader in EVALUATION_READERS


def find_protocol(spec: BenchmarkSpec) -> tuple[Benchmark, Protocol]:
    """Find the benchmark and the protocol of a study's benchmark. Raises InputError for unknown names."""
    benchmark = find_benchmark(str(spec.source.options.get("benchmark", "")))
    return benchmark, benchmark.protocol(spec.protocol)
