"""Find question, right answer and picture of examples, in the prepared data of a study."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.planning.preflight import known_digests
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec, PixelSpec
from trainables.benchmarks.example_json import right_answer
from trainables.data.prepare import is_prepared
from trainables.data.prepared import PreparedSource
from trainables.data.readers import HasImageFiles, Reader, open_reader
from trainables.evaluation.questions import Questions, open_questions
from trainables.storage.store import Store


@dataclass(frozen=True)
class AskedQuestion:
    """A question as a model was asked it."""

    prompt: str
    reference: str
    """A right answer."""
    image: str | None
    """Path of the picture within its source; None for a question without one."""
    picture: Path | None
    """File of the picture, where it was asked for, the source has files and they are on this machine."""
    image_bytes: bytes | None
    """The picture as it was prepared."""
    pixels: PixelSpec | None
    """How it becomes pixels."""


def asked_questions(
    spec: BenchmarkSpec, ids: Collection[str], store: Store, data_root: Path | None = None
) -> dict[str, AskedQuestion]:
    """Find the questions of some examples of a benchmark, by their ids; none where the prepared data are gone.

    Args:
        spec: of the benchmark.
        ids: of its examples.
        store: where its prepared data lie.
        data_root: folder in which relative paths of sources start; None: files of pictures are not looked for.
    """
    opened = _open(spec, store) if ids else None
    if opened is None:
        return {}
    asked, source = opened
    wanted, reader = set(ids), _files(spec, data_root) if data_root is not None else None
    return {
        example.id: AskedQuestion(
            asked.protocol.prompt(example),
            right_answer(example),
            example.image,
            _picture(reader, example.image),
            source.image_bytes(row) if row >= 0 else None,
            source.pictures.pixels if row >= 0 else None,
        )
        for example, row in zip(asked.examples, asked.image_rows, strict=True)
        if example.id in wanted
    }


def question_groups(spec: BenchmarkSpec, store: Store) -> dict[str, Mapping[str, str]]:
    """Find the groups that each question of a benchmark belongs to, by its id; none where the prepared data are gone.

    Args:
        spec: of the benchmark.
        store: where its prepared data lie.
    """
    opened = _open(spec, store)
    return {} if opened is None else {example.id: example.groups for example in opened[0].examples}


def _open(spec: BenchmarkSpec, store: Store) -> tuple[Questions, PreparedSource] | None:
    digest = known_digests(store).digests.get(source_name(spec.source))
    if digest is None or not is_prepared(store, digest):
        return None
    source = PreparedSource(store, digest)
    return open_questions(spec, source), source


def _files(spec: BenchmarkSpec, data_root: Path) -> HasImageFiles | None:
    """Open the reader of the source that the pictures come from; None where they are no files, or are not here."""
    try:
        reader: Reader = open_reader(spec.source, data_root)
    except InputError:
        return None  # the prepared copy is enough for everything else
    return reader if isinstance(reader, HasImageFiles) else None


def _picture(reader: HasImageFiles | None, image: str | None) -> Path | None:
    if reader is None or image is None:
        return None
    file = reader.image_file(image)
    return file if file.is_file() else None
