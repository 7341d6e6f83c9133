"""Verdicts and plans say which sources of chance their seeds vary, and of which an interval says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.what_varies import EVALUATION, OTHER_DRAWS, SOURCE_NAMES, what_varies
from search_spaces.seeds import SEED_SOURCES
from tests.support.small_studies import BASE, plan_of

INIT, ORDER = "the initialisation", "the order of the data (with dropout)"
PART = BASE.replace("data: llava-v15", "data: part") + "mixes: {part: {parts: [{source: llava-mix665k, count: 9}]}}\n"


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (BASE + "seeds: [7, 8]\n", f"Seeds vary {INIT} and {ORDER} together"),
        (BASE, f"One seed: {INIT} and {ORDER} did not vary"),
        (
            BASE + "seeds: {init: 7, order: [7, 8]}\n",
            f"Seeds vary {ORDER} alone; {INIT} is fixed at 7: an interval says nothing about other initialisations",
        ),
        (
            PART.replace("count: 9}]", "count: 9}], resample: per-seed") + "seeds: {data: [7, 8]}\n",
            f"Seeds vary the records that mixes draw alone; {INIT} is fixed at 7 and {ORDER} is fixed at 7: an "
            "interval says nothing about other initialisations and orders of the data",
        ),
        (
            PART + "seeds: [7, 8]\n",
            f"Seeds vary {INIT} and {ORDER} together; the records that mixes draw are the same for all seeds",
        ),
    ],
)
def test_what_varies_is_said_in_words(tmp_path: Path, study: str, words: str) -> None:
    assert what_varies(plan_of(tmp_path, study)) == f"{words}; {EVALUATION}"


def test_every_source_of_chance_has_its_words() -> None:
    assert set(SOURCE_NAMES) == set(OTHER_DRAWS) == set(SEED_SOURCES)
