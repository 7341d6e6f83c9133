"""Draw slim subsets: seeded, from each stratum in proportion, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from trainables.benchmarks.contract import Example
from trainables.draws import generator

_TWO_SIDED_95 = 1.959963984540054
_POWER_80 = 0.8416212335729143
_DISCORDANT = 0.2
"""Share of examples that two compared models answer differently well: what the power statement assumes."""


def slim_positions(benchmark: str, groups: Sequence[Mapping[str, str]], strata: Sequence[str], size: int) -> list[int]:
    """Draw the positions of a subset of `size` examples, ascending.

    Every stratum is put into an order that depends on the benchmark and the stratum alone, and gives its share by
    largest remainder: a larger subset holds most of a smaller one.

    Args:
        benchmark: its id, which seeds the draw.
        groups: of each example, kind -> group.
        strata: kinds whose combinations are the strata.
        size: examples to draw; all positions if it is not below their number.
    """
    if size >= len(groups):
        return list(range(len(groups)))
    members: dict[tuple[str, ...], list[int]] = {}
    for position, own in enumerate(groups):
        members.setdefault(tuple(own.get(kind, "") for kind in strata), []).append(position)
    names = sorted(members)
    exact = {name: size * len(members[name]) / len(groups) for name in names}
    shares = {name: math.floor(exact[name]) for name in names}
    rest = size - sum(shares.values())
    for name in sorted(names, key=lambda name: (shares[name] - exact[name], name))[:rest]:
        shares[name] += 1
    chosen: list[int] = []
    for name in names:
        order = generator("slim", benchmark, *name).permutation(len(members[name]))
        chosen.extend(members[name][index] for index in order[: shares[name]])
    return sorted(chosen)


def slim(benchmark: str, examples: Sequence[Example], strata: Sequence[str], size: int) -> list[Example]:
    """Draw a subset of examples (see `slim_positions`).

    Args:
        benchmark: its id, which seeds the draw.
        examples: all of them.
        strata: kinds of groups whose combinations are the strata.
        size: examples to draw.
    """
    return [examples[position] for position in slim_positions(benchmark, [e.groups for e in examples], strata, size)]


def detectable_difference(n: int) -> float:
    """Compute the difference in points that n examples detect with 80 % power at 5 %, two-sided.

    Paired, with one in five examples answered differently well by the two; examples that share an image count as
    independent here, so that the true figure is somewhat larger.
    """
    return 100 * (_TWO_SIDED_95 + _POWER_80) * math.sqrt(_DISCORDANT / n)


def power_statement(full: int, sample: int | None) -> str:
    text = f"all {full:,} examples tell two checkpoints apart that differ by {detectable_difference(full):.1f} points"
    if sample is None or sample >= full:
        return f"{text} (80 % power, 5 % two-sided, 20 % of examples discordant)"
    return (
        f"{text}; the slim {sample:,} need {detectable_difference(sample):.1f} points"
        " (80 % power, 5 % two-sided, 20 % of examples discordant)"
    )
