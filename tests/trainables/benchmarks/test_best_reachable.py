"""Claims about the best score that references allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import InputError
from tests.support import official_files
from tests.support.official_files.vqav2 import write_vqav2
from tests.support.official_scores import read
from trainables.benchmarks.best_reachable import best_reachable, best_row, check_reachable
from trainables.benchmarks.contract import Example
from trainables.benchmarks.registry import BENCHMARKS, find_benchmark
from trainables.benchmarks.sets.families import FAMILIES


def _vqav2(folder: Path, *answers: str) -> list[Example]:
    entries: list[dict[str, Any]] = [
        {"answer": answer, "answer_confidence": "yes", "answer_id": n} for n, answer in enumerate(answers)
    ]
    write_vqav2(folder, [entries])
    return read("vqav2", folder)


@pytest.mark.parametrize(
    ("answers", "best"),
    [(("a dog",), 0), (("dog",) * 2, 1 / 3), (("dog",) * 3, 2 / 3), (("dog",) * 4, 1), (("dog",) * 10, 1)],
)
def test_vqas_rule_is_refused_where_no_answer_can_be_right(
    answers: tuple[str, ...], best: float, tmp_path: Path
) -> None:
    examples = _vqav2(tmp_path, *answers)
    for name, protocol in BENCHMARKS["vqav2"].protocols.items():
        assert best_row(protocol, examples[0]).score == pytest.approx(best)
        if best < 1:
            with pytest.raises(InputError, match=rf"under {name} the best answer .* gets {100 * best:.0f} of 100"):
                check_reachable(protocol, name, examples)
        else:
            check_reachable(protocol, name, examples)


def test_ten_people_who_disagree_are_scored_and_the_best_is_known(tmp_path: Path) -> None:
    examples = _vqav2(tmp_path, *["red"] * 3, *"abcdefg")
    for name, protocol in BENCHMARKS["vqav2"].protocols.items():
        check_reachable(protocol, name, examples)
        assert best_reachable(protocol, examples)["accuracy"] == pytest.approx(90)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_official_rule_gives_a_perfect_model_full_marks_where_people_agree(name: str, tmp_path: Path) -> None:
    official_files.WRITERS[name](tmp_path)
    benchmark = BENCHMARKS[name]
    protocol = benchmark.protocols["official"]
    assert (
        all(best_row(protocol, e).score >= 0.9 for e in read(name, tmp_path) if protocol.counts(e)) or name == "vqav2"
    )


@pytest.mark.parametrize("number", range(1, 10))
def test_the_family_of_several_answers_gives_full_marks_with_any_number_of_references(number: int) -> None:
    for references in (["red"] * number, [f"word{n}" for n in range(number)], ["The Red.", *["blue"] * (number - 1)]):
        example = Example("1", "1", None, "?", reference=references)
        for protocol in FAMILIES["vqa"].protocols.values():
            assert best_row(protocol, example).score == 1


def test_open_prompts_have_no_right_answer_and_can_be_answered_well() -> None:
    reference = {"vocabulary": {"zebra": ["zebra"]}, "objects": ["zebra"]}
    protocol = find_benchmark("open").protocol("official")
    example = Example("1", "i", "i", "Describe it.", reference=reference)
    assert best_row(protocol, example).score == 1
    check_reachable(protocol, "official", [example])
