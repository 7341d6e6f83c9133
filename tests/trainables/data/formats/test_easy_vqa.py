"""Claims about the reader of the package easy-vqa."""

from __future__ import annotations

from pathlib import Path

from tests.support.source_files.easy_vqa import describe_easy_vqa
from trainables.data.readers import open_reader


def test_easy_vqa_tags_follow_the_wording_of_the_question(tmp_path: Path) -> None:
    for record in open_reader(describe_easy_vqa(tmp_path), tmp_path).records():
        ((question, answer),) = record.turns
        negated = {"not", "no"} & set(question.rstrip("?").split())
        assert (record.tags[0] == "negated") == (bool(negated) and answer in ("yes", "no"))
        assert (record.tags[0] in ("negated", "yes-no")) == (answer in ("yes", "no"))
