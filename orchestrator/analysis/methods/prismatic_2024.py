"""`prismatic-2024`: the test that reproduces the p values which *Prismatic VLMs* (ICML 2024) prints.

The symmetric relative difference of every cell, d = (alternative - reference) / ((alternative + reference) / 2), pooled
over pairs and benchmarks; a two-sided one-sample t test of its mean being 0, at alpha .01 and without a correction for
several claims. `all` leaves out `textvqa-ocr`, which is in none of the paper's aggregates.

It takes the cells for independent draws. They are not: pairs share models, benchmarks share images and skills.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.analysis.methods.table_t_test import NEVER_EQUIVALENT, Draws, Pairs, TableTTest
from orchestrator.analysis.score_table import ScoreTable, cell_differences
from orchestrator.analysis.skills import REFCOCO
from orchestrator.analysis.verdict_model import Refusal
from search_spaces.quantities import number_of


def _cells(table: ScoreTable, pairs: Pairs, benchmarks: Sequence[str]) -> Draws | Refusal:
    differences_PB = cell_differences(table, pairs, benchmarks, "percent")
    if isinstance(differences_PB, Refusal):
        return differences_PB
    n = differences_PB.size
    by_benchmark = dict(zip(benchmarks, differences_PB.mean(axis=0).tolist(), strict=True))
    return Draws(by_benchmark, n, differences_PB.ravel(), 0.0, number_of(n, "cell"))


def _variants(table: ScoreTable, pairs: Pairs, benchmarks: Sequence[str]) -> Iterator[tuple[str, Draws | Refusal]]:
    """Count the RefCOCO sets once, which ask one skill, and leave out VSR, a coin flip for most published models."""
    if all(name in benchmarks for name in REFCOCO):
        joined = _refcoco_joined(table)
        if all(model in joined.scores for pair in pairs for model in pair):
            rest = [name for name in benchmarks if name not in REFCOCO[1:]]
            yield "refcoco, refcoco+ and refcocog counted once", _cells(joined, pairs, rest)
    if "vsr" in benchmarks:
        yield "without vsr", _cells(table, pairs, [name for name in benchmarks if name != "vsr"])


def _refcoco_joined(table: ScoreTable) -> ScoreTable:
    """Replace `refcoco` by the mean of the three RefCOCO sets, for the models that have all of them."""
    scores = {
        model: {**row, "refcoco": sum(row[name] for name in REFCOCO) / len(REFCOCO)}
        for model, row in table.scores.items()
        if all(name in row for name in REFCOCO)
    }
    return ScoreTable(table.name, table.benchmarks, scores)


METHOD = TableTTest(
    name="prismatic-2024",
    unit="percent",
    alpha=0.01,
    corrected=False,
    exact=False,
    draws=_cells,
    variants=_variants,
    notes=(
        "No examples, no seeds: a t test over the differences of benchmarks and pairs, which are not independent "
        "draws. In simulated tables of the paper's shape whose models are all equal, it claims a difference at its "
        "alpha of .01 in 4 % of the paper's twenty claims, and in one of them at least in half of the tables.",
        "Effects are symmetric relative differences in percent of the mean of the two scores; p is two-sided, "
        "alpha .01 and not corrected for several claims, as in the paper; Holm's p is shown beside it.",
        NEVER_EQUIVALENT,
    ),
).method(outside_all=frozenset({"textvqa-ocr"}))
