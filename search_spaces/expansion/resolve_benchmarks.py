"""Look up the benchmarks and samples of a study, suites written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

from search_spaces.catalogue.entries import BenchmarkChoice
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import Problems, nearest
from search_spaces.expansion.chosen_examples import read_chosen
from search_spaces.families import FAMILY_PROTOCOL, Family
from search_spaces.spec import BenchmarkSpec, SourceSpec
from search_spaces.steps import TEXT_ONLY
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True)
class BenchmarkResolver:
    """Lookup of what the arms of one study are evaluated on."""

    study: Study
    catalogue: Catalogue
    source: Callable[[str, KeyPath], SourceSpec]
    """Looks up a data source; raises InputError, placed at the path."""

    def resolve(self) -> tuple[tuple[BenchmarkSpec, ...], tuple[BenchmarkSpec, ...]]:
        """Look up the study's benchmarks and its samples. Raises InputError with all that is wrong."""
        benchmarks = self._written_out("benchmarks", self.study.benchmarks)
        samples = self._written_out("samples", self.study.samples)
        problems = Problems()
        specs: dict[str, BenchmarkSpec] = {}
        for path, own_path, choice in (*benchmarks, *samples):
            if choice.id in specs:
                problems.add(self.study.problem(path, f"a benchmark must be there once, but {choice.id!r} is twice"))
                continue
            spec = problems.attempt(partial(self._spec, choice, path, own_path))
            if spec is not None:
                specs[choice.id] = spec
        problems.raise_all()
        of_benchmarks = tuple(specs[choice.id] for *_, choice in benchmarks)
        return of_benchmarks, tuple(specs[choice.id] for *_, choice in samples)

    def _written_out(
        self, key: str, choices: Sequence[BenchmarkChoice]
    ) -> list[tuple[KeyPath, KeyPath, BenchmarkChoice]]:
        """List choices with their places; a suite gives its members, all at its own place.

        Returns:
            The place, the path at which the fields of the choice itself are written, the choice.
        """
        written: list[tuple[KeyPath, KeyPath, BenchmarkChoice]] = []
        for number, choice in enumerate(choices):
            path: KeyPath = (key, number)
            if choice.only is not None and choice.id in self.catalogue.suites:
                law = f"`only` must be of one benchmark, but {choice.id!r} is a suite"
                raise self.study.problem((*path, "only"), law, "Give it to the members of a suite of your own.")
            is_own = choice.id in self.study.suites
            for position, member in enumerate(members_of(choice, self.catalogue.suites)):
                written.append((path, ("suites", choice.id, position) if is_own else path, member))
        return written

    def _spec(self, choice: BenchmarkChoice, path: KeyPath, own_path: KeyPath) -> BenchmarkSpec:
        entry = self.catalogue.benchmarks.get(choice.id)
        fields = entry.model_dump(exclude_none=True) if entry else {}
        fields.update(choice.model_dump(exclude_none=True))
        if "source" not in fields:
            legal = [*self.catalogue.suites, *self.catalogue.benchmarks]
            raise self.study.problem(
                path,
                f"must be a suite or a benchmark ({', '.join(legal)}), but got {choice.id!r}",
                nearest(choice.id, legal) or "Give its `source` to define it.",
            )
        source = self.source(fields["source"], path)
        legal_tags = [*source.tags, TEXT_ONLY]
        if fields.get("select") is not None and source.tags and fields["select"] not in legal_tags:
            raise self.study.problem(
                path,
                f"select must be a tag of {source.name} ({', '.join(legal_tags)}), but got {fields['select']!r}",
                nearest(fields["select"], legal_tags),
            )
        if source.options.get("benchmark") in get_args(Family):
            fields.setdefault("protocol", FAMILY_PROTOCOL)
        if choice.only is not None:
            if "sample" in fields:
                law = "`only` and `sample` must not both be given: the ids say which examples are scored"
                raise self.study.problem((*own_path, "only"), law)
            fields["only"] = read_chosen(self.study, choice.only, (*own_path, "only"))
        return BenchmarkSpec(**{**fields, "source": source})


def members_of(
    choice: BenchmarkChoice, suites: Mapping[str, tuple[BenchmarkChoice, ...]]
) -> tuple[BenchmarkChoice, ...]:
    """Return the members of a suite, with the fields that were set for the whole of it; else the choice itself."""
    members = suites.get(choice.id)
    if members is None:
        return (choice,)
    whole = choice.model_dump(exclude_unset=True, exclude={"id"})
    return tuple(member.model_copy(update=whole) for member in members)
