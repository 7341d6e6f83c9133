"""Read and check the shipped catalogue, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from search_spaces.catalogue.entries import (
    BenchmarkChoice,
    BenchmarkEntry,
    Encoder,
    EncoderEntry,
    LanguageEntry,
    MixEntry,
    SourceEntry,
)
from search_spaces.catalogue.machine_entries import GpuEntry, ResourcesEntry
from search_spaces.catalogue.official_sets import OfficialSetEntry, official_benchmarks, official_sources
from search_spaces.catalogue.recipe_entries import RecipeEntry
from search_spaces.inheritance import with_inherited
from search_spaces.sizes import EncoderFacts, KnownSizes, LanguageFacts
from search_spaces.typed import typed
from search_spaces.yaml_source import Document, parse

T = TypeVar("T")


@dataclass(frozen=True)
class Catalogue:
    """Entries of every kind by their names."""

    encoders: Mapping[str, Encoder]
    languages: Mapping[str, LanguageEntry]
    sources: Mapping[str, SourceEntry]
    mixes: Mapping[str, MixEntry]
    benchmarks: Mapping[str, BenchmarkEntry]
    suites: Mapping[str, tuple[BenchmarkChoice, ...]]
    recipes: Mapping[str, RecipeEntry]
    resources: Mapping[str, ResourcesEntry]
    gpus: Mapping[str, GpuEntry]

    def with_own(
        self,
        *,
        encoders: Mapping[str, Encoder],
        languages: Mapping[str, LanguageEntry],
        sources: Mapping[str, SourceEntry],
        mixes: Mapping[str, MixEntry],
        suites: Mapping[str, tuple[BenchmarkChoice, ...]],
    ) -> Catalogue:
        """Add a study's own entries, which hide shipped ones of the same name."""
        return replace(
            self,
            encoders={**self.encoders, **encoders},
            languages={**self.languages, **languages},
            sources={**self.sources, **sources},
            mixes={**self.mixes, **mixes},
            suites={**self.suites, **suites},
        )

    def gpu_named(self, name: str) -> str | None:
        """Look up the entry of a GPU by the driver's name for it; None if nothing is known of it."""
        return next((gpu for gpu, entry in self.gpus.items() if any(part in name for part in entry.names)), None)

    def known_sizes(self) -> KnownSizes:
        """Collect the facts that sizes of models follow from; entries without a shape are left out."""
        encoders = {
            name: EncoderFacts(arch=entry.arch, resolution=entry.resolution, shape=entry.shape)
            for name, entry in self.encoders.items()
            if isinstance(entry, EncoderEntry) and entry.shape is not None
        }
        languages = {
            name: LanguageFacts(checkpoint=entry.checkpoint, config=entry.config, shape=entry.shape)
            for name, entry in self.languages.items()
            if entry.shape is not None
        }
        return KnownSizes(encoders, languages)


@cache
def shipped() -> Catalogue:
    """Return the catalogue that comes with the program."""
    official = _entries("official_sets", OfficialSetEntry)
    return Catalogue(
        encoders=_entries("encoders", Encoder),  # type: ignore[arg-type]  # an annotation, as good as a type here
        languages=_entries("languages", LanguageEntry),
        sources={**_entries("sources", SourceEntry), **official_sources(official)},
        mixes=_entries("mixes", MixEntry),
        benchmarks={**_entries("benchmarks", BenchmarkEntry), **official_benchmarks(official)},
        suites=_entries("suites", tuple[BenchmarkChoice, ...]),
        recipes=_entries("recipes", RecipeEntry),
        resources=_entries("resources", ResourcesEntry),
        gpus=_entries("gpus", GpuEntry),
    )


@cache
def shipped_document(name: str) -> Document:
    """Read a file of the catalogue, such as `languages`, as it is written but for `extends`."""
    file = f"catalogue/{name}.yaml"
    text = resources.files("search_spaces").joinpath(file).read_text(encoding="utf-8")
    return with_inherited(parse(text, file), ())


def _entries(name: str, kind: type[T]) -> Mapping[str, T]:
    return typed(_mapping_of(kind), shipped_document(name))


def _mapping_of(kind: type[T]) -> type[dict[str, T]]:
    made: Any = dict[str, kind]  # type: ignore[valid-type]
    return made  # type: ignore[no-any-return]
