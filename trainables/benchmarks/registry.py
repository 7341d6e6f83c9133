"""The benchmarks that this program reads and scores. Adding one: a module with a `BENCHMARK`, and its line here."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.errors import InputError, nearest
from trainables.benchmarks.contract import Benchmark
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
