"""Replace data sources by small generated ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from search_spaces.identity import source_name
from search_spaces.spec import (
    BenchmarkSpec,
    SourceSpec,
)
from search_spaces.steps import TEXT_ONLY

TRAIN_RECORDS = 64


TEST_RECORDS = 24


def toy_benchmarks(benchmarks: Sequence[BenchmarkSpec]) -> tuple[BenchmarkSpec, ...]:
    """Replace the data of benchmarks by generated records; ids stay."""
    tags: dict[str, list[str]] = {}
    for benchmark in benchmarks:
        tags.setdefault(source_name(benchmark.source), []).extend([benchmark.select] if benchmark.select else [])
    numbers = {name: number for number, name in enumerate(tags)}
    toys = []
    for benchmark in benchmarks:
        name = source_name(benchmark.source)
        source = generated_source(
            benchmark.source.name, 1000 + numbers[name], TEST_RECORDS, tags[name], {"split": "test"}
        )
        update = {"source": source, "protocol": "official", "sample": None, "answers": (), "only": None}
        toys.append(benchmark.model_copy(update=update))
    return tuple(toys)


def toy_samples(samples: Sequence[BenchmarkSpec]) -> tuple[BenchmarkSpec, ...]:
    """Replace the data of samples by the open prompts of a small miniature, which is drawn; ids stay."""
    return tuple(
        sample.model_copy(
            update={
                "source": SourceSpec(
                    name=sample.source.name,
                    version="1",
                    reader="official",
                    path="miniature/v1-images1-train1-seed7/qualitative",
                    options={"benchmark": "open"},
                ),
                "select": None,
                "protocol": "official",
                "sample": None,
                "answers": (),
                "only": None,
            }
        )
        for sample in samples
    )


def generated_source(
    name: str, seed: int, records: int, tags: Iterable[str], options: Mapping[str, str] | None = None
) -> SourceSpec:
    """Make a source of drawn shapes whose records carry the tags in turn.

    Args:
        name: of the source that it stands for.
        seed: of the drawing.
        records: how many there are.
        tags: carried besides those that all drawn records have; `text-only` ones have no image.
        options: of the reader, besides `records`, `seed` and `tags`.
    """
    carried = sorted({"color", "shape", "yes-no", "negated", *tags} - {TEXT_ONLY})
    if TEXT_ONLY in tags:
        carried.append(TEXT_ONLY)
    counts = {tag: len(range(position, records, len(carried))) for position, tag in enumerate(carried)}
    return SourceSpec(
        name=name,
        version="1",
        reader="generated",
        records=records,
        text_only_records=counts.pop(TEXT_ONLY, 0),
        images=-(-records // len(carried)),
        tags=counts,
        options={"records": records, "seed": seed, "tags": ",".join(carried), **(options or {})},
    )
