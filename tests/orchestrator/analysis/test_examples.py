"""Files of scores per example are read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.analysis.examples import read_examples
from search_spaces.errors import InputError


def test_read_examples_of_a_file_with_an_impossible_score_names_the_example(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "cluster": ["i", "i"], "score": [0.5, 1.5]}), file)
    with pytest.raises(InputError, match=r"x\.parquet.*those of b"):
        read_examples(file)


def test_read_examples_reads_the_scores_of_what_needs_no_image(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    columns = {"prompt": ["?", "?"], "prior: best constant answer": [1.0, 0.0], "score by chance": [0.3, 0.2]}
    pq.write_table(pa.table({"id": ["a", "b"], "cluster": ["i", "i"], "score": [0.5, 1.0], **columns}), file)
    priors = read_examples(file).priors
    assert {name: scores.tolist() for name, scores in priors.items()} == {
        "best constant answer": [1.0, 0.0],
        "score by chance": [0.3, 0.2],
    }


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_read_examples_of_a_missing_or_corrupt_file_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.parquet"):
        read_examples(file)
