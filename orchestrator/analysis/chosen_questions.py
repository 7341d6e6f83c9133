"""Say which benchmarks of a study ask only questions that were chosen by their ids."""

from __future__ import annotations

from search_spaces.plan import Plan
from search_spaces.quantities import number_of


def chosen_sentences(plan: Plan) -> tuple[str, ...]:
    """State for each benchmark or sample how many questions are asked, where the study names them (`only`)."""
    return tuple(
        f"{asked.id}: only {number_of(len(asked.only.ids), 'question')}, chosen by the study; scores and differences "
        "are theirs and not the benchmark's."
        for asked in (*plan.benchmarks, *plan.samples)
        if asked.only is not None
    )
