"""Claims about evaluation sets as data sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec, SourceSpec
from tests.support.source_files.evaluation_set import WRITERS, write_official
from trainables.benchmarks.files.reference_files import find_files
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.data.readers import open_reader
from trainables.evaluation.selected_examples import open_examples
from trainables.storage.store import LocalStore


@pytest.mark.parametrize("name", ["official", "questions"])
def test_an_evaluation_source_is_prepared_with_its_examples(name: str, tmp_path: Path) -> None:
    source = WRITERS[name](tmp_path)
    store = LocalStore(tmp_path / "store")
    digest, counts = prepare_source(source, store, tmp_path)
    assert (counts.records, counts.images) == (3, 2)
    prepared = PreparedSource(store, digest)
    selected = open_examples(BenchmarkSpec(id="mine", source=source), prepared)
    files = find_files("x", (), [tmp_path / "set"])
    assert list(selected.examples) == selected.benchmark.examples(files)
    assert [prepared.image_key(row) for row in selected.image_rows] == [example.image for example in selected.examples]
    sampled = open_examples(BenchmarkSpec(id="mine", source=source, sample=2), prepared)
    assert len(sampled.examples) == len(sampled.image_rows) == 2
    tag = next(iter(open_reader(source, tmp_path).records())).tags[0]
    chosen = open_examples(BenchmarkSpec(id="mine", source=source, select=tag), prepared)
    assert 0 < len(chosen.examples) <= 3
    with pytest.raises(InputError, match=r"none of .* has the tag"):
        open_examples(BenchmarkSpec(id="mine", source=source, select="no=such"), prepared)


def test_an_evaluation_source_must_say_what_its_files_are(tmp_path: Path) -> None:
    write_official(tmp_path)
    with pytest.raises(InputError, match="benchmark"):
        open_reader(SourceSpec(name="s", version="1", reader="official", path="set"), tmp_path)
    options = {"benchmark": "vqa2"}
    with pytest.raises(InputError, match="Did you mean 'vqav2'"):
        open_reader(SourceSpec(name="s", version="1", reader="official", path="set", options=options), tmp_path)
