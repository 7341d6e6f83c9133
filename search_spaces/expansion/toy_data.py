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
    """The same ids over generated records."""
    tags: dict[str, list[str]] = {}
    for one in benchmarks:
        tags.setdefault(source_name(one.source), []).extend([one.select] if one.select else [])
    numbers = {name: number for number, name in enumerate(tags)}
    toys = []
    for one in benchmarks:
        name = source_name(one.source)
        source = generated_source(one.source.name, 1000 + numbers[name], TEST_RECORDS, tags[name], {"split": "test"})
        update = {"source": source, "protocol": "official", "sample": None, "answers": ()}
        toys.append(one.model_copy(update=update))
    return tuple(toys)


def toy_samples(samples: Sequence[BenchmarkSpec]) -> tuple[BenchmarkSpec, ...]:
    """The same ids over the open prompts of a small miniature, which is drawn."""
    return tuple(
        one.model_copy(
            update={
                "source": SourceSpec(
                    name=one.source.name,
                    version="1",
                    reader="official",
                    path="miniature/v1-images1-train1-seed7/qualitative",
                    options={"benchmark": "open"},
                ),
                "select": None,
                "protocol": "official",
                "sample": None,
                "answers": (),
            }
        )
        for one in samples
    )


def generated_source(
    name: str, seed: int, records: int, tags: Iterable[str], options: Mapping[str, str] | None = None
) -> SourceSpec:
    """A source of drawn shapes whose records carry the tags in turn."""
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
