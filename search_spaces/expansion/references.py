"""Check that hypotheses and seeds name arms and benchmarks of their study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from search_spaces.catalogue.load import shipped
from search_spaces.claims import legal_on
from search_spaces.errors import InputError, nearest
from search_spaces.seeds import SEED_SOURCES, is_split, split_problems
from search_spaces.study import Hypothesis, Study
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True)
class References:
    """Names that a study refers to, and what there is for them to refer to."""

    study: Study
    arms: Sequence[str]
    """Names of all arms, those that are excluded among them."""
    excluded: AbstractSet[str]
    """Names of the arms that are excluded."""
    benchmarks: Sequence[str]
    """Ids of the study's benchmarks."""
    resamples: bool = True
    """Whether a mix of the study draws records by seed."""

    def problems(self) -> Iterator[InputError]:
        """Find what hypotheses and seeds refer to that is not there, or is there twice."""
        seen: set[str] = set()
        for number, hypothesis in enumerate(self.study.hypotheses):
            path: KeyPath = ("hypotheses", number)
            if hypothesis.id in seen:
                yield self.study.problem((*path, "id"), f"ids must differ, but {hypothesis.id!r} is there twice")
            seen.add(hypothesis.id)
            yield from self._pair_problems(hypothesis, path)
            yield from self._benchmark_problems(hypothesis, path)
        yield from self._seed_problems()

    def _pair_problems(self, hypothesis: Hypothesis, path: KeyPath) -> Iterator[InputError]:
        for row, pair in enumerate(hypothesis.pairs):
            for side, name in enumerate(pair):
                yield from self._arm_problems(name, (*path, "pairs", row, side))
            if pair[0] == pair[1]:
                law = f"a contrast must be of two arms, but both are {pair[0]!r}"
                yield self.study.problem((*path, "pairs", row), law)

    def _arm_problems(self, name: str, path: KeyPath) -> Iterator[InputError]:
        if name in self.excluded:
            yield self.study.problem(path, f"must name an arm of the study, but {name!r} is excluded")
        elif name not in self.arms:
            shown = ", ".join(self.arms[:20]) + (", ..." if len(self.arms) > 20 else "")
            law = f"must name an arm of the study ({shown}), but got {name!r}"
            yield self.study.problem(path, law, nearest(name, self.arms))

    def _benchmark_problems(self, hypothesis: Hypothesis, path: KeyPath) -> Iterator[InputError]:
        legal = legal_on(self.benchmarks, {**shipped().suites, **self.study.suites})
        for row, name in enumerate(hypothesis.on):
            if name not in legal:
                law = f"must be all, or a benchmark or suite of the study ({', '.join(legal[1:])}), but got {name!r}"
                yield self.study.problem((*path, "on", row), law, nearest(name, legal))
        if not self.benchmarks:
            yield self.study.problem(("benchmarks",), "a study with hypotheses must have benchmarks, but it has none")

    def _seed_problems(self) -> Iterator[InputError]:
        if is_split(self.study.seeds):
            yield from self._split_problems()
        for name, seeds in self.study.seeds.items():
            if name in SEED_SOURCES:
                continue
            if name != "default":
                yield from self._arm_problems(name, ("seeds", name))
            if len(set(seeds)) < len(seeds):
                law = f"the seeds of an arm must differ, but got {', '.join(map(str, seeds))}"
                yield self.study.problem(("seeds", name), law)
        without = [name for name in self.arms if not self.study.seeds_of(name) and name not in self.excluded]
        if without and not is_split(self.study.seeds):
            law = f"every arm must have seeds, but {without[0]!r} has none"
            yield self.study.problem(("seeds",), law, "Add `default`.")

    def _split_problems(self) -> Iterator[InputError]:
        for name in SEED_SOURCES:
            if name in self.study.seeds and name in self.arms:
                law = f"{name!r} seeds a source of chance here, so that no arm may have that name"
                yield self.study.problem(("arms", name), law, "Give the arm another name.")
        for key, law, way_out in split_problems(self.study.seeds):
            yield self.study.problem(("seeds",) if key is None else ("seeds", key), law, way_out)
        if len(self.study.seeds.get("data", ())) > 1 and not self.resamples:
            law = "seeds of drawn records must change something, but no mix of the study draws records by seed"
            yield self.study.problem(("seeds", "data"), law, "Write `resample: per-seed` in a mix, or leave it out.")
