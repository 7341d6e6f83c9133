"""Claims about names in hypotheses and seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_studies import BASE, problems_of


def _hypothesis(pair: str, on: str = "all") -> str:
    return f"hypotheses: [{{id: h, claim: c, pairs: [{pair}], on: {on}, expect: better}}]\n"


@pytest.mark.parametrize(
    ("text", "key", "law"),
    [
        (_hypothesis("[base, epochs=3]"), "hypotheses[0].pairs[0][1]", "must name an arm"),
        (_hypothesis("[base, base]"), "hypotheses[0].pairs[0]", "of two arms"),
        (_hypothesis("[base, epochs=2]", "[vqa]"), "hypotheses[0].on[0]", "must be all, or a benchmark"),
        (
            _hypothesis("[base, epochs=2]") + "exclude: [{where: {epochs: 2}, reason: x}]\n",
            "hypotheses[0].pairs[0][1]",
            "is excluded",
        ),
    ],
)
def test_hypothesis_that_speaks_of_what_is_not_there_is_refused(tmp_path: Path, text: str, key: str, law: str) -> None:
    (problem,) = problems_of(tmp_path, BASE + "axes: {epochs: [2]}\nbenchmarks: [gqa]\n" + text)
    assert problem.key == key
    assert law in problem.law
