"""A hypothesis on a table is judged on its benchmarks, and a broken file is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from tests.support.score_tables import CLAIM, TABLE, judge_files


def test_table_of_unknown_benchmarks_is_judged_on_any_of_them(tmp_path: Path) -> None:
    everything, one = (judge_files(tmp_path, TABLE, CLAIM.format("a", "b", on))[0] for on in ("all", "[GQA, mine]"))
    assert everything.benchmarks == ("gqa", "mine", "pope")
    assert everything.effect == pytest.approx(6.5 / 3)
    assert (one.benchmarks, one.n_cells) == (("gqa", "mine"), 2)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        (CLAIM.format("a", "bb", "all"), r"(?s)c\.yaml:2: hypotheses\[0\].pairs\[0\]\[1\]: must name a model.*'bb'"),
        (CLAIM.format("a", "b", "gqqa"), r"(?s)hypotheses\[0\].on\[0\]: must be all.*'gqqa'.*Did you mean 'gqa'"),
        (CLAIM.format("a", "a", "all"), "must be of two models"),
        (CLAIM.format("a", "b", "all").replace("better", "equivalent"), "`margin` must be given"),
        (CLAIM.format("a", "b", "all").replace("claim: c", "claim: c, why: x"), "why"),
        ("hypotheses: []\n", "hypotheses"),
        ("claims: []\n", "claims"),
        ("- a\n", "must be a mapping"),
    ],
)
def test_broken_claims_are_refused_with_their_line(tmp_path: Path, yaml: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge_files(tmp_path, TABLE, yaml)
