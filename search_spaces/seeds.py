"""Read which replicates the arms of a study have, and which seeds each replicate draws from.

`seeds: [7, 8]` are replicates that draw everything from one number. `seeds: {init: 7, order: [7, 8]}` seeds the sources
of chance apart: a source with a list varies over the replicates, one with a single seed is the same in all, and one
that is not named stays at the number of the first replicate. A replicate keeps one number, by which trials, commands
and storage call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Literal, get_args

from search_spaces.spec import SeedSplit, TrialSpec

SeedSource = Literal["order", "init", "data"]
"""What a seed may be drawn for, the fields of `SeedSplit`."""

SEED_SOURCES: tuple[SeedSource, ...] = get_args(SeedSource)
DEFAULT = "default"
"""Key of the replicates of all arms that are not named."""

Seeds = Mapping[str, tuple[int, ...]]
"""`seeds` of a study: arm, `default` or source -> seeds."""


def is_split(seeds: Seeds) -> bool:
    """Return whether a study seeds the sources of chance apart."""
    return any(source in seeds for source in SEED_SOURCES)


def seeds_of_arm(seeds: Seeds, arm: str) -> tuple[int, ...]:
    """List the numbers of an arm's replicates; none where neither it nor `default` has any."""
    if arm in seeds and arm not in SEED_SOURCES:
        return seeds[arm]
    return replicates(seeds) if is_split(seeds) else seeds.get(DEFAULT, ())


def replicates(seeds: Seeds) -> tuple[int, ...]:
    """List the numbers of the replicates that the sources declare.

    They are those of `default`, else the seeds of the first source (order, init, data) whose list tells all replicates
    apart; none where no list does.
    """
    n = max((len(seeds[source]) for source in SEED_SOURCES if source in seeds), default=0)
    if DEFAULT in seeds:
        return seeds[DEFAULT]
    lists = (seeds[source] for source in SEED_SOURCES if source in seeds)
    return next((values for values in lists if len(set(values)) == len(values) == n), ())


def split_of(seeds: Seeds, replicate: int) -> SeedSplit | None:
    """Return what a replicate draws from; None where the study does not seed the sources apart.

    `seeds` must be free of problems (`split_problems`).
    """
    if not is_split(seeds):
        return None
    numbers = replicates(seeds)
    place = numbers.index(replicate)
    drawn = {source: seeds.get(source, numbers[:1]) for source in SEED_SOURCES}
    return SeedSplit(**{source: values[0 if len(values) == 1 else place] for source, values in drawn.items()})


def with_added(seeds: Seeds, added: Seeds) -> dict[str, tuple[int, ...]]:
    """Add replicates to arms; those that an arm has already stay as they are.

    Where sources are seeded apart, a new replicate continues the lists of those that vary with its own number, or with
    the next one that a list does not have.

    Args:
        seeds: of a study, free of problems.
        added: arm -> numbers of further replicates.
    """
    own = {
        arm: (*(have := seeds_of_arm(seeds, arm)), *(n for n in more if n not in have)) for arm, more in added.items()
    }
    if not is_split(seeds):
        return {**seeds, **own}
    numbers = replicates(seeds)
    new = sorted({n for more in added.values() for n in more} - set(numbers))
    sources: dict[str, tuple[int, ...]] = {
        source: values if len(values) == 1 else _continued(values, new)
        for source, values in seeds.items()
        if source in SEED_SOURCES
    }
    return {**seeds, **sources, DEFAULT: (*numbers, *new), **own}


def _continued(values: tuple[int, ...], numbers: Iterable[int]) -> tuple[int, ...]:
    for number in numbers:
        values = (*values, max(values) + 1 if number in values else number)
    return values


def seeds_by_arm_text(seeds: Seeds) -> str:
    """Write the seeds of arms for people: `base 9, 10; tokens=1 9, 10`."""
    return "; ".join(f"{arm} {', '.join(map(str, numbers))}" for arm, numbers in seeds.items())


def split_problems(seeds: Seeds) -> Iterator[tuple[str | None, str, str | None]]:
    """Find what is wrong with seeds whose sources are seeded apart: the key below `seeds`, the law, a way out."""
    lists = {source: seeds[source] for source in SEED_SOURCES if source in seeds}
    lengths = {source: len(values) for source, values in lists.items() if len(values) > 1}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{source} has {n}" for source, n in lengths.items())
        yield None, f"sources that vary must have a seed for every replicate, but {shown}", None
        return
    n = max(map(len, lists.values()))
    if n == 1:
        law = "sources are seeded apart where one varies over replicates, but none has several seeds"
        yield None, law, "List them: `{init: 7, order: [7, 8, 9]}`."
        return
    if DEFAULT in seeds and len(seeds[DEFAULT]) != n:
        law = f"`default` must number all replicates, which are {n} by their sources, but it has {len(seeds[DEFAULT])}"
        yield DEFAULT, law, "Leave it out, or write `default: null` where it comes from a study that is extended."
        return
    numbers = replicates(seeds)
    if not numbers:
        law = "one source must have another seed in every replicate, or replicates have no number"
        yield None, law, f"Number them: `default: {list(range(1, n + 1))}`."
        return
    drawn = {number: split_of(seeds, number) for number in numbers}
    for first, second in combinations(drawn, 2):
        if drawn[first] == drawn[second]:
            yield None, f"replicates must differ, but {first} and {second} draw from the same seeds", None
    for arm, own in seeds.items():
        strangers = [seed for seed in own if seed not in numbers] if arm not in SEED_SOURCES else []
        if strangers:
            law = f"must be replicates of the study ({', '.join(map(str, numbers))}), but got {strangers[0]}"
            yield arm, law, "Give every source that varies a seed for it."


def seed_fields(trial: TrialSpec, n_stages: int) -> dict[str, str]:
    """Write for the identity the seeds that the first stages of a trial draw from: one where all are equal.

    The seed of drawn records is among them from the first stage on whose mix draws records by it.
    """
    seeds = trial.draws
    resamples = any(stage.data.resample == "per-seed" for stage in trial.stages[:n_stages])
    apart = {"init_seed": seeds.init, **({"data_seed": seeds.data} if resamples else {})}
    return {
        "seed": str(seeds.order),
        **{name: str(seed) for name, seed in apart.items() if seed != seeds.order},
    }
