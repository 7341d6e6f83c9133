"""Measure how often the methods over tables of scores call equal models different, and what they see of true effects.

Run: ``python -m measurements.table_methods``. Simulated tables are judged by the program's own code:

    score of model m on benchmark b  =  60 + effect_m + seed_m + noise_mb    (points)

The noise of a difference of two models has the standard deviation 1, or what the row says; that of the RefCOCO sets is
one noise to 98 %. The column `cells` is a plain t test over all cells (benchmark x pair), in points, at .05, as people
do it. The last lines judge the claims of *Prismatic VLMs* on tables of the paper's shape, whose models are all equal.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from measurements.cost import told_cost
from orchestrator.analysis.methods.contract import Question, TableMethod
from orchestrator.analysis.methods.registry import TABLE_METHODS
from orchestrator.analysis.score_table import ScoreTable, read_table
from orchestrator.analysis.skills import REFCOCO
from orchestrator.analysis.verdict_model import Verdict
from search_spaces.claims import find_file, load_claims
from search_spaces.study import Hypothesis

Pairs = tuple[tuple[str, str], ...]
_ONE: Pairs = (("m0", "m1"),)


@dataclass(frozen=True)
class Setting:
    """Parameters of a simulated table."""

    name: str
    pairs: Pairs = _ONE
    n_benchmarks: int = 12
    refcoco: bool = False
    """Three benchmarks more, which are one skill."""
    seed_sd: float = 0.0
    """Of a difference, on all benchmarks alike."""
    noise_sd: float = 1.0
    """Of a difference, on each benchmark by itself."""
    decimals: int = 2
    effect: float = 0.0
    """Of every alternative that is no reference, in points."""
    degrees: float | None = None
    """Of a t distribution of the noise; None: normal."""

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return (*(f"b{i}" for i in range(self.n_benchmarks)), *(REFCOCO if self.refcoco else ()))


SETTINGS = (
    Setting("one pair"),
    Setting("one pair, noise with heavy tails (t, 3 degrees of freedom)", degrees=3),
    Setting("the base in 3 pairs", tuple(("m0", f"m{i}") for i in range(1, 4))),
    Setting("the base in 5 pairs", tuple(("m0", f"m{i}") for i in range(1, 6))),
    Setting("2 x 2 pairs", (("m0", "m2"), ("m0", "m3"), ("m1", "m2"), ("m1", "m3"))),
    Setting("RefCOCO's three among 13 benchmarks", n_benchmarks=10, refcoco=True),
    Setting("seeds move models half as much as benchmarks do", seed_sd=0.5),
    Setting("2 benchmarks, one decimal, sd of a difference 0.3", n_benchmarks=2, decimals=1, noise_sd=0.3),
    Setting("6 benchmarks, one decimal, sd of a difference 0.1", n_benchmarks=6, decimals=1, noise_sd=0.1),
    Setting("4 benchmarks", n_benchmarks=4),
    Setting("6 benchmarks", n_benchmarks=6),
    Setting("20 benchmarks", n_benchmarks=20),
    Setting("true effect of 1.0, one pair", effect=1.0),
    Setting("true effect of 1.0, the base in 3 pairs", tuple(("m0", f"m{i}") for i in range(1, 4)), effect=1.0),
    Setting("true effect of 1.0, RefCOCO's three among 13", n_benchmarks=10, refcoco=True, effect=1.0),
    Setting("true effect of 1.0, 6 benchmarks", n_benchmarks=6, effect=1.0),
)


def draw_table(setting: Setting, random: np.random.Generator) -> ScoreTable:
    """Draw a table of scores."""
    models = sorted({model for pair in setting.pairs for model in pair})
    references = {reference for reference, _ in setting.pairs}
    shape = (len(models), len(setting.benchmarks))
    noise = random.normal(size=shape) if setting.degrees is None else random.standard_t(setting.degrees, shape)
    if setting.refcoco:
        common = random.normal(size=(len(models), 1))
        noise[:, -3:] = np.sqrt(0.98) * common + np.sqrt(0.02) * noise[:, -3:]
    seeds = random.normal(size=(len(models), 1)) * setting.seed_sd
    effects = np.array([[0.0 if model in references else setting.effect] for model in models])
    scores = np.round(60 + effects + (seeds + noise * setting.noise_sd) / np.sqrt(2), setting.decimals)
    return table_of(models, setting.benchmarks, scores, setting.decimals)


def table_of(models: Sequence[str], names: Sequence[str], scores: NDArray[np.float64], decimals: int) -> ScoreTable:
    """Make a table of scores from an array.

    Args:
        models: names of its rows.
        names: of its columns, the benchmarks.
        scores: models x benchmarks, rounded.
        decimals: to which they are rounded.
    """
    rows = {model: dict(zip(names, row.tolist(), strict=True)) for model, row in zip(models, scores, strict=True)}
    return ScoreTable("simulated", tuple(names), rows, rounding=dict.fromkeys(names, 10.0**-decimals))


def cell_test_alarms(table: ScoreTable, pairs: Pairs) -> bool:
    """Tell whether a plain t test over all cells, in points, calls the models different at .05."""
    cells = np.array([table.scores[b][name] - table.scores[a][name] for a, b in pairs for name in table.benchmarks])
    if np.ptp(cells) < 1e-9:
        return bool(abs(cells[0]) > 1e-9)  # no spread at all: p 0
    return bool(stats.ttest_1samp(cells, 0).pvalue <= 0.05)


def judged(method: TableMethod, table: ScoreTable, pairs: Pairs) -> Verdict:
    """Judge one claim of a difference between the models of these pairs."""
    hypothesis = Hypothesis(id="h", claim="c", pairs=pairs, expect="better")
    return method.judge(table, [Question(hypothesis, table.benchmarks)]).verdicts[0]


def differs(verdict: Verdict) -> bool:
    """Tell whether a verdict claims a difference."""
    return verdict.verdict in ("better", "worse")


def row(setting: Setting, n_tables: int) -> str:
    """Simulate one setting, and write its row."""
    random = np.random.default_rng(0)
    cells = paired = prismatic = 0
    for _ in range(n_tables):
        table = draw_table(setting, random)
        cells += cell_test_alarms(table, setting.pairs)
        paired += differs(judged(TABLE_METHODS["paired-table"], table, setting.pairs))
        prismatic += differs(judged(TABLE_METHODS["prismatic-2024"], table, setting.pairs))
    share = [f"{100 * count / n_tables:.1f}" for count in (cells, paired, prismatic)]
    return f"| {setting.name} | {' | '.join(share)} |"


def paper_shape(n_tables: int) -> list[str]:
    """Judge the claims of Prismatic VLMs on tables of its shape, all of whose models are equal."""
    published = read_table(find_file("prismatic/published", ".csv", "scores"))
    claims, _ = load_claims(find_file("prismatic/claims", ".yaml", "hypotheses"))
    models = sorted({model for claim in claims.hypotheses for pair in claim.pairs for model in pair})
    names, random = published.benchmarks, np.random.default_rng(0)
    at = [names.index(name) for name in REFCOCO]
    claimed = {"prismatic-2024": 0, "paired-table": 0}
    families = dict(claimed)
    for _ in range(n_tables):
        noise = random.normal(size=(len(models), len(names)))
        noise[:, at] = np.sqrt(0.98) * noise[:, at[:1]] + np.sqrt(0.02) * random.normal(size=(len(models), 3))
        table = table_of(models, names, np.round(60 + noise, 2), 2)
        for name, method in TABLE_METHODS.items():
            used = tuple(benchmark for benchmark in names if benchmark not in method.outside_all)
            questions = [Question(hypothesis, used) for hypothesis in claims.hypotheses]
            n = sum(differs(verdict) for verdict in method.judge(table, questions).verdicts)
            claimed[name] += n
            families[name] += n > 0
    n_claims = len(claims.hypotheses)
    return [
        f"| {name} | {100 * claimed[name] / n_tables / n_claims:.1f} | {100 * families[name] / n_tables:.1f} |"
        for name in claimed
    ]


def main() -> None:
    """Print the tables of docs/tables.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=2000, help="simulated tables for each row")
    n_tables = parser.parse_args().tables
    print("| setting | cells, at .05 % | paired-table, at .05 % | prismatic-2024, at .01 % |\n|---|--:|--:|--:|")
    for setting in SETTINGS:
        print(row(setting, n_tables), flush=True)
    print("\n| the paper's claims, equal models | false claims % | tables with a false claim % |\n|---|--:|--:|")
    print("\n".join(paper_shape(n_tables // 4)))


if __name__ == "__main__":
    with told_cost():
        main()
