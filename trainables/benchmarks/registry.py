"""The benchmarks that this program reads and scores. Adding one: a module with a `BENCHMARK`, and its line here."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.errors import InputError, nearest
from search_spaces.spec import BenchmarkSpec, SourceSpec
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
from trainables.benchmarks.sets.own import FAMILIES

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
    """A benchmark, or a family for sets of a user's own. Raises InputError naming them."""
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


READERS = ("official", "questions")
"""Readers of sources whose records are examples of a benchmark."""


def is_evaluation(source: SourceSpec) -> bool:
    return source.reader in READERS


def find_protocol(spec: BenchmarkSpec) -> tuple[Benchmark, Protocol]:
    """What a study's benchmark is scored as. Raises InputError for names that do not exist."""
    benchmark = find_benchmark(str(spec.source.options.get("benchmark", "")))
    return benchmark, benchmark.protocol(spec.protocol)
