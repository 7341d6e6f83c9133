"""TextVQA's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from tests.support.json_files import write_json_lines
from tests.support.official_files.textvqa import write_textvqa, write_textvqa_ocr
from tests.support.official_scores import points, read, scored
from trainables.benchmarks.registry import BENCHMARKS


def test_textvqa_apostrophes_cost_as_in_m4c(tmp_path: Path) -> None:
    write_textvqa(tmp_path, [["where's", "where's", *["x"] * 8], ["wheres", "wheres", *["y"] * 8]])
    examples = read("textvqa", tmp_path)
    result = scored("textvqa", "official", examples, ["wheres", "wheres"])
    assert [row.score for row in result.rows] == pytest.approx([0, 0.6])


def test_textvqa_sentences_score_nothing(tmp_path: Path) -> None:
    write_textvqa(tmp_path, [["acme"] * 10])
    assert points("textvqa", "llava", read("textvqa", tmp_path), "the brand is acme") == 0


def test_textvqa_with_ocr_asks_with_the_tokens_and_without_their_file_only_scores(tmp_path: Path) -> None:
    write_textvqa_ocr(tmp_path)
    protocols = BENCHMARKS["textvqa-ocr"].protocols
    (first, _) = read("textvqa-ocr", tmp_path)
    question = "what is the brand of this camera?"
    short = "\nAnswer the question using a single word or phrase."
    assert protocols["official"].prompt(first) == f"{question}\nReference OCR token: ACME, 12{short}"
    assert protocols["lmms"].prompt(first) == f"{question.capitalize()}\nReference OCR token: ACME, 12{short}"
    (tmp_path / "TextVQA_Rosetta_OCR_v0.2_val.json").unlink()
    examples = read("textvqa-ocr", tmp_path)
    assert points("textvqa-ocr", "official", examples, "acme", "12 oz") == pytest.approx(100)
    with pytest.raises(InputError, match="needs OCR tokens"):
        protocols["official"].prompt(examples[0])


def test_textvqa_ocr_of_llavas_question_file_is_joined_in_order_and_checked(tmp_path: Path) -> None:
    write_textvqa(tmp_path)
    question = "what is the brand of this camera?"
    text = f"{question}\nReference OCR token: A, B\nAnswer the question using a single word or phrase."
    rows = [{"question_id": f"003a{n}", "image": "x.jpg", "text": text} for n in range(2)]
    write_json_lines(tmp_path / "llava_textvqa_val_v051_ocr.jsonl", rows)
    examples = read("textvqa-ocr", tmp_path)
    assert BENCHMARKS["textvqa-ocr"].protocols["llava"].prompt(examples[1]) == text
    write_json_lines(
        tmp_path / "llava_textvqa_val_v051_ocr.jsonl", [{**rows[0], "text": "who?\nReference OCR token: A"}] * 2
    )
    with pytest.raises(InputError, match="must be about question"):
        read("textvqa-ocr", tmp_path)
