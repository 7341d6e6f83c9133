"""Claims about the list of benchmarks and the catalogue's official sets: they say the same."""

from __future__ import annotations

import pytest

from search_spaces.catalogue.load import shipped
from search_spaces.catalogue.official_sets import official_sources
from search_spaces.errors import InputError
from tests.support.documented_benchmark import documented_entries, documented_module
from trainables.benchmarks.registry import BENCHMARKS, find_benchmark

EXAMPLE = documented_module("The module").BENCHMARK
ADDED = {**BENCHMARKS, EXAMPLE.id: EXAMPLE}
"""The benchmarks, after the documentation's example has been added."""
SOURCES = {
    str(source.options["benchmark"]): source
    for source in (*shipped().sources.values(), *official_sources(documented_entries()).values())
    if source.version == "official"
}


def test_every_benchmark_is_an_official_set_of_the_catalogue() -> None:
    """Require an entry in the catalogue. If there is none: add it to search_spaces/catalogue/official_sets.yaml."""
    assert set(SOURCES) == set(ADDED)


@pytest.mark.parametrize("name", SOURCES)
def test_an_official_set_has_the_folder_and_the_size_of_its_benchmark(name: str) -> None:
    benchmark, source = ADDED[name], SOURCES[name]
    assert source.path == f"benchmarks/{benchmark.folder or benchmark.id}"
    assert source.records in (None, *benchmark.totals.examples)


def test_an_official_set_is_scored_by_a_protocol_that_its_benchmark_has() -> None:
    official = {name: entry for name, entry in shipped().benchmarks.items() if name in BENCHMARKS}
    assert set(official) == set(BENCHMARKS)
    for name, entry in official.items():
        assert entry.protocol in BENCHMARKS[name].protocols
    for name, documented in documented_entries().items():
        assert documented.protocol in ADDED[name].protocols


def test_an_unknown_benchmark_names_the_legal_ones_and_the_nearest() -> None:
    with pytest.raises(InputError, match=r"vqav2, gqa.*a family \(vqa, exact.*\n?.*Did you mean 'vsr'"):
        find_benchmark("vsrr")
