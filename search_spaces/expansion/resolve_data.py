"""Look up data sources and mixes by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import get_args

from search_spaces.catalogue.entries import MixEntry, MixPartEntry
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, nearest
from search_spaces.expansion.parts import Parts
from search_spaces.expansion.patches import Leaf
from search_spaces.spec import LostImage, MixPart, MixSpec, SourceSpec
from search_spaces.steps import RealisedCounts, mix_modalities
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True)
class DataResolver:
    """Lookup of the data of one study."""

    study: Study
    catalogue: Catalogue
    parts: Parts
    mixes: list[tuple[MixSpec, KeyPath]] = field(default_factory=list)
    """Every mix that was looked up, and where the study writes or names it."""

    def mix(self, leaf: Leaf) -> MixSpec:
        """Look up a mix by its name, or make the one that is written in its place. Raises InputError."""
        return self.parts.get(("mix", repr(leaf.value)), lambda: self._make_mix(leaf))

    def _make_mix(self, leaf: Leaf) -> MixSpec:
        path: KeyPath = leaf.path
        if isinstance(leaf.value, str):
            name = leaf.value
            entry = self._mix_entry(name, path)
            if name in self.study.mixes:
                path = ("mixes", name)
        else:
            entry = MixEntry.model_validate(leaf.value)
            name = "+".join(part.source for part in entry.parts)
        parts = tuple(
            MixPart(
                source=self._source_of(part, (*path, "parts", number, "source")),
                fraction=part.fraction,
                count=part.count,
                repeat=part.repeat,
                drop=part.drop,
            )
            for number, part in enumerate(entry.parts)
        )
        mix = MixSpec(name=name, parts=parts, draw_seed=entry.draw_seed, resample=entry.resample)
        check_mix(self.study, mix, path, {})
        self.mixes.append((mix, path))
        return mix

    def _mix_entry(self, name: str, path: KeyPath) -> MixEntry:
        entry = self.catalogue.mixes.get(name)
        if entry is None:
            legal = list(self.catalogue.mixes)
            law = f"must be one of {', '.join(legal)}, but got {name!r}"
            raise self.study.problem(path, law, nearest(name, legal) or "Define it under `mixes`.")
        return entry

    def _source_of(self, part: MixPartEntry, path: KeyPath) -> SourceSpec:
        """Look up the source of a part of a mix; what the part drops of lost images is a property of its source."""
        source = self.source(part.source, path)
        without = tuple(kind for kind in get_args(LostImage) if kind in part.drop)
        if not without:
            return source
        make = partial(source.model_copy, update={"without": without})
        return self.parts.get(("source", part.source, *without), make)

    def source(self, name: str, path: KeyPath) -> SourceSpec:
        """Look up a data source by name. Raises InputError, placed at `path`, if there is none."""
        entry = self.catalogue.sources.get(name)
        if entry is None:
            legal = list(self.catalogue.sources)
            raise self.study.problem(
                path,
                f"must be one of {', '.join(legal)}, but got {name!r}",
                nearest(name, legal) or "Define it under `sources`.",
            )
        return self.parts.get(("source", name), lambda: SourceSpec(name=name, **entry.model_dump(exclude={"source"})))


def check_mix(study: Study, mix: MixSpec, path: KeyPath, realised: RealisedCounts) -> None:
    """Check that a mix can be drawn from what its sources hold.

    Args:
        study: the study that has the mix; it knows the line of `path`.
        mix: what is drawn from which sources.
        path: where the study writes or names the mix.
        realised: counts of sources that were counted; declared counts serve for the others.

    Raises:
        InputError: if a part asks for more than there is or for a tag that no record has, or nothing is left.
    """
    try:
        mix_modalities(mix, realised)
    except InputError as error:
        raise study.problem(path, f"mix {mix.name!r}: {error.law}", error.way_out) from error
