"""Show questions as a person sees them: their words, the right answer and the image, from the prepared data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.planning.preflight import known_digests
from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec, PixelSpec
from trainables.benchmarks.example_json import right_answer
from trainables.data.prepare import is_prepared
from trainables.data.prepared import PreparedSource
from trainables.evaluation.questions import open_questions
from trainables.storage.store import Store


@dataclass(frozen=True)
class SeenQuestion:
    """A question of a benchmark as it was asked, with what answers it."""

    prompt: str
    label: str
    """The right answer, or right answers."""
    image_bytes: bytes | None
    """The file as it was prepared; None without an image."""
    pixels: PixelSpec | None
    """How it becomes pixels; None without an image."""


def seen_questions(ids: Collection[str], benchmark: BenchmarkSpec, store: Store) -> dict[str, SeenQuestion]:
    """Look up questions by their ids.

    Args:
        ids: of examples of the benchmark.
        benchmark: that they are of.
        store: where its prepared data lie.

    Returns:
        The questions that are there: none where the prepared data are no longer whole on storage.
    """
    digest = known_digests(store).digests.get(source_name(benchmark.source))
    if not ids or digest is None or not is_prepared(store, digest):
        return {}
    source = PreparedSource(store, digest)
    asked = open_questions(benchmark, source)
    wanted = set(ids)
    return {
        example.id: SeenQuestion(
            prompt=asked.protocol.prompt(example),
            label=right_answer(example),
            image_bytes=source.image_bytes(row) if row >= 0 else None,
            pixels=source.pictures.pixels if row >= 0 else None,
        )
        for example, row in zip(asked.examples, asked.image_rows, strict=True)
        if example.id in wanted
    }
