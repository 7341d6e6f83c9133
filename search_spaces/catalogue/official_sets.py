"""Define official evaluation sets, and the source and the benchmark that follow from each."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.catalogue.entries import BenchmarkEntry, Count, Entry, NonEmpty, SourceEntry


class OfficialSetEntry(Entry):
    """An official evaluation set, named by the id of the benchmark that reads and scores its files."""

    source: NonEmpty
    """Which published set it is."""
    protocol: NonEmpty
    """Protocol that studies score it under, unless they name another one."""
    folder: NonEmpty | None = None
    """Folder of its files below `benchmarks/` of `--data`; by default its id."""
    records: Count | None = None
    """Published number of examples; none where several are in use."""


def official_sources(entries: Mapping[str, OfficialSetEntry]) -> dict[str, SourceEntry]:
    """Make the data source `<id>-official` of every official set."""
    return {
        _source_name(benchmark): SourceEntry(
            source=entry.source,
            version="official",
            reader="official",
            path=f"benchmarks/{entry.folder or benchmark}",
            options={"benchmark": benchmark},
            records=entry.records,
        )
        for benchmark, entry in entries.items()
    }


def official_benchmarks(entries: Mapping[str, OfficialSetEntry]) -> dict[str, BenchmarkEntry]:
    """Make the benchmark `<id>` of every official set."""
    return {
        benchmark: BenchmarkEntry(source=_source_name(benchmark), protocol=entry.protocol)
        for benchmark, entry in entries.items()
    }


def _source_name(benchmark: str) -> str:
    return f"{benchmark}-official"
