"""`prismatic-2024`: the test that reproduces the p values which *Prismatic VLMs* (ICML 2024) prints.

The symmetric relative difference of every cell, d = (alternative - reference) / ((alternative + reference) / 2), pooled
over pairs and benchmarks; a two-sided one-sample t test of its mean being 0, at alpha .01 and without a correction for
several claims. `all` leaves out `textvqa-ocr`, which is in none of the paper's aggregates.
"""

from __future__ import annotations

from orchestrator.analysis.methods.cell_t_test import NEVER_EQUIVALENT, NOT_INDEPENDENT, CellTTest

METHOD = CellTTest(
    name="prismatic-2024",
    unit="percent",
    alpha=0.01,
    corrected=False,
    two_sided=True,
    notes=(
        NOT_INDEPENDENT,
        "Effects are symmetric relative differences in percent of the mean of the two scores; p is two-sided, "
        "alpha .01 and not corrected for several claims, as in the paper; Holm's p is shown beside it.",
        NEVER_EQUIVALENT,
    ),
).method(outside_all=frozenset({"textvqa-ocr"}))
