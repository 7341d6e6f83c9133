"""Read an evaluation set as a data source: every record is an example of a benchmark, and carries it whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError
from search_spaces.regular_files import read_regular
from search_spaces.spec import SourceSpec
from trainables.benchmarks.contract import Example
from trainables.benchmarks.example_json import dump_example, right_answer
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.inventory import IMAGES
from trainables.benchmarks.registry import find_benchmark
from trainables.data.files import source_path, stats
from trainables.data.record import TEXT_ONLY, Record
from trainables.data.refused import Refuse, raise_refused


class EvaluationReader:
    """Reader of the official files of a benchmark, or of a file of questions of a family.

    Options: `benchmark` (what its files are read as), `split`. Tags are the example's groups: `split=adversarial`.
    """

    def __init__(self, source: SourceSpec, data_root: Path):
        path = source_path(source, data_root, "its folder or file")
        if "benchmark" not in source.options:
            raise InputError(
                "an evaluation source needs `options: {benchmark: ...}`, what its files are read as",
                key=f"sources.{source.name}",
            )
        self._benchmark = find_benchmark(str(source.options["benchmark"]))
        self._split = str(source.options["split"]) if "split" in source.options else None
        folder = path if path.is_dir() else path.parent
        self.image_folder = data_root / source.image_folder if source.image_folder else folder / IMAGES
        self._files = find_files(self._benchmark.id, self._benchmark.files, [path])
        self._examples: list[Example] | None = None

    def signature(self) -> list[list[Any]]:
        return stats(self._files.paths)

    def records(self, refuse: Refuse = raise_refused) -> Iterator[Record]:
        for example in self._read():
            tags = [f"{kind}={group}" for kind, group in example.groups.items()]
            tags += [TEXT_ONLY] if example.image is None else []
            turn = (example.question, right_answer(example))
            yield Record(example.id, example.image, (turn,), tuple(tags), dump_example(example))

    def image(self, key: str) -> bytes:
        return read_regular(self.image_file(key))

    def image_file(self, key: str) -> Path:
        return self.image_folder / key

    def _read(self) -> list[Example]:
        if self._examples is None:
            self._examples = self._benchmark.examples(self._files, self._split)
        return self._examples
