"""`paired-table`: a one-sample t test over the benchmarks of a table, in points, which sign flips must confirm.

A draw is one skill: the differences of all pairs on one benchmark are averaged first, because pairs share models, and
benchmarks that ask one skill of the same pictures count once. `python -m measurements.table_methods` has what this
changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from orchestrator.analysis.methods.table_t_test import NEVER_EQUIVALENT, Draws, Pairs, TableTTest
from orchestrator.analysis.number_text import listed
from orchestrator.analysis.pairs import pair_weights, sum_of_squares
from orchestrator.analysis.rule import ALPHA
from orchestrator.analysis.score_table import ScoreTable, cell_differences
from orchestrator.analysis.skills import skill_means, skills_of
from orchestrator.analysis.verdict_model import Refusal
from search_spaces.quantities import number_of


def _by_skill(table: ScoreTable, pairs: Pairs, benchmarks: Sequence[str]) -> Draws | Refusal:
    skills = skills_of(benchmarks)
    together = [f"{listed(skill)} count as one" for skill in skills if len(skill) > 1]
    return _draws(table, pairs, skills, f" ({'; '.join(together)})" if together else "")


def _draws(table: ScoreTable, pairs: Pairs, skills: Sequence[tuple[str, ...]], said: str = "") -> Draws | Refusal:
    """Average over pairs and then over the benchmarks of each skill.

    Args:
        table: of scores.
        pairs: reference and alternative.
        skills: benchmarks that count as one draw.
        said: what is to be known of the skills, in words.
    """
    benchmarks = [name for skill in skills for name in skill]
    differences_PB = cell_differences(table, pairs, benchmarks, "points")
    if isinstance(differences_PB, Refusal):
        return differences_PB
    by_benchmark = dict(zip(benchmarks, differences_PB.mean(axis=0).tolist(), strict=True))
    values = skill_means(by_benchmark, skills)
    basis = f"{number_of(len(skills), 'benchmark')}{said}"
    return Draws(by_benchmark, differences_PB.size, values, _rounding(table, pairs, skills), basis)


def _rounding(table: ScoreTable, pairs: Pairs, skills: Sequence[tuple[str, ...]]) -> float:
    """Compute the standard deviation that rounded scores give a draw, in the mean over the draws.

    A score that is rounded to a unit is off by unit / sqrt(12) on average, the difference of two by unit / sqrt(6); a
    model in several pairs enters with the sum of its weights.
    """
    squares = sum_of_squares(pair_weights(pairs))
    units = [sum(table.rounding.get(name, 0.0) ** 2 for name in skill) / len(skill) ** 2 for skill in skills]
    return math.sqrt(squares * sum(units) / len(units) / 12)


def _variants(table: ScoreTable, pairs: Pairs, benchmarks: Sequence[str]) -> Iterator[tuple[str, Draws | Refusal]]:
    """Count every benchmark on its own, and leave out VSR, a coin flip for most published models."""
    if len(skills_of(benchmarks)) < len(benchmarks):
        yield "every benchmark counted on its own", _draws(table, pairs, [(name,) for name in benchmarks])
    if "vsr" in benchmarks:
        yield "without vsr", _by_skill(table, pairs, [name for name in benchmarks if name != "vsr"])


METHOD = TableTTest(
    name="paired-table",
    unit="points",
    alpha=ALPHA,
    corrected=True,
    exact=True,
    draws=_by_skill,
    variants=_variants,
    notes=(
        "No examples, no seeds: a t test over benchmarks, pairs averaged first, and flips of their signs must agree.",
        "What another seed would give is in no table: a model that its seed lifts on all benchmarks looks like a "
        "better choice. In simulated tables whose seeds move a model half as much as benchmarks do, 30 % of equal "
        "pairs are called different.",
        "A verdict holds after Holm's correction over the hypotheses of the file.",
        NEVER_EQUIVALENT,
    ),
).method()
