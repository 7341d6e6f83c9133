"""Write the questions that tell arms apart as files of ids, and the lines that make them a suite of a study."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.analysis.judged_questions import JudgedQuestions
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.expansion.resolve_benchmarks import members_of
from search_spaces.flow_text import flow_text
from search_spaces.study import Study

SUITE = "informative"
"""Name of the suite in the lines."""

Members = tuple[dict[str, Any], ...]
"""Benchmarks of a suite as a study file has them."""


def write_informative(judged: Iterable[JudgedQuestions], study: Study, folder: Path, beside: Path) -> Members:
    """Write a file of ids for every benchmark with chosen questions, and return the members of the suite.

    Args:
        judged: benchmark by benchmark.
        study: whose benchmarks they are: a member has the fields that it sets, but for `sample`.
        folder: where to; made if it is not there.
        beside: folder of the study file that will have the suite, to which paths are relative.

    Raises:
        InputError: no questions were chosen; or a file is there with other ids, as a study may use it, whose keys
            would move.
    """
    judged = tuple(judged)
    chosen = {one.benchmark: one.informative.ids for one in judged if one.informative is not None}
    if not chosen:
        reasons = "; ".join(f"{one.benchmark}: {one.reason or one.not_informative}" for one in judged)
        raise InputError(
            f"there must be a benchmark whose questions can be chosen, but {reasons or 'nothing is scored yet'}",
            key="--informative",
        )
    files = {benchmark: folder / f"{re.sub(r'[^A-Za-z0-9_.+@-]', '_', benchmark)}.json" for benchmark in chosen}
    texts = {file: json.dumps(sorted(chosen[benchmark]), indent=0) + "\n" for benchmark, file in files.items()}
    for file, text in texts.items():
        if file.exists() and file.read_text(encoding="utf-8") != text:
            law = "must have no other ids yet, as scores of a study that names this file would no longer count"
            raise InputError(law, key="--informative", place=str(file), way_out="Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    suites = {**shipped().suites, **study.suites}
    choices = [member for choice in study.benchmarks for member in members_of(choice, suites)]
    return tuple(
        {
            "id": choice.id,
            **choice.model_dump(mode="json", exclude_none=True, exclude={"id", "sample", "only"}),
            "only": Path(os.path.relpath(files[choice.id], beside)).as_posix(),
        }
        for choice in choices
        if choice.id in files
    )


def suite_lines(members: Sequence[dict[str, Any]]) -> str:
    """Write the lines of a study file that define the suite and ask it."""
    listed = "".join(f"    - {flow_text(member)}\n" for member in members)
    return f"suites:\n  {SUITE}:\n{listed}benchmarks: {SUITE}"
