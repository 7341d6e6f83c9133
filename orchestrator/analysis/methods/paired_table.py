"""`paired-table`: a one-sample t test over the differences of all cells of a table (benchmark x pair), in points."""

from __future__ import annotations

from orchestrator.analysis.methods.cell_t_test import NEVER_EQUIVALENT, NOT_INDEPENDENT, CellTTest
from orchestrator.analysis.rule import ALPHA

METHOD = CellTTest(
    name="paired-table",
    unit="points",
    alpha=ALPHA,
    corrected=True,
    two_sided=False,
    notes=(
        NOT_INDEPENDENT,
        "A verdict holds after Holm's correction over the hypotheses of the file.",
        NEVER_EQUIVALENT,
    ),
).method()
