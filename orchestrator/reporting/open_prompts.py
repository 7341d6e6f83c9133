"""What the arms said to a study's samples, side by side, with the images: for reports. No torch.

for sample in read_samples(plan, store, ledger):
    sample.prompt, sample.image_bytes, sample.answers["base"].text
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.analysis.examples import read_answers, verified_examples
from orchestrator.planning.preflight import known_digests
from orchestrator.state.ledger import Ledger
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec, PixelSpec
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.registry import is_evaluation
from trainables.storage.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SampleAnswer:
    """What a model said to a prompt, and its score."""

    text: str
    score: float
    """From 0 to 1; of open prompts the share of what is mentioned that is there."""
    unsupported: tuple[str, ...]
    """Of open prompts: what is mentioned and not there."""


@dataclass(frozen=True)
class OpenSample:
    """One prompt and what every arm with an answer said to it, in plan order."""

    benchmark: str
    id: str
    image: str | None
    """Its name."""
    image_bytes: bytes | None
    """The file as it was prepared."""
    pixels: PixelSpec | None
    """How it becomes pixels; None without an image."""
    prompt: str
    answers: Mapping[str, SampleAnswer]
    """Arm -> its answer with the first of its seeds that has one."""


def read_samples(plan: Plan, store: Store, ledger: Ledger) -> tuple[OpenSample, ...]:
    """Read every sample of the study that some arm has answered, in the order of its set.

    None of a set whose prepared data are no longer whole on storage: its prompts and images are not known then.

    Args:
        plan: with the sets of samples.
        store: where answers and images lie.
        ledger: of the plan.
    """
    return tuple(sample for samples in plan.samples for sample in _of_set(plan, samples, store, ledger))


def _of_set(plan: Plan, samples: BenchmarkSpec, store: Store, ledger: Ledger) -> Iterator[OpenSample]:
    from trainables.data.prepare import is_prepared  # Arrow, which a report that is kept does not need
    from trainables.data.prepared import PreparedSource
    from trainables.evaluation.selected_examples import open_examples

    answers = _answers(plan, samples.id, store, ledger)
    digest = known_digests(store).digests.get(source_name(samples.source))
    if not answers or not is_evaluation(samples.source) or digest is None or not is_prepared(store, digest):
        return
    source = PreparedSource(store, digest)
    selected = open_examples(samples, source)
    for example, row in zip(selected.examples, selected.image_rows, strict=True):
        sample = _sample(samples.id, selected.protocol, example, answers)
        yield (
            replace(sample, image_bytes=source.image_bytes(row), pixels=source.pictures.pixels) if row >= 0 else sample
        )


def _sample(samples: str, protocol: Protocol, example: Example, answers: Mapping[str, Mapping[str, Any]]) -> OpenSample:
    return OpenSample(
        benchmark=samples,
        id=example.id,
        image=example.image,
        image_bytes=None,
        pixels=None,
        prompt=protocol.prompt(example),
        answers={arm: of_arm[example.id] for arm, of_arm in answers.items() if example.id in of_arm},
    )


def _answers(plan: Plan, samples: str, store: Store, ledger: Ledger) -> dict[str, dict[str, SampleAnswer]]:
    """Read arm -> example -> answer, of the first seed of each arm that has one which can be read."""
    answers: dict[str, dict[str, SampleAnswer]] = {}
    for trial in plan.trials:
        evaluation = ledger.samples.get((trial.id, samples))
        if evaluation is not None and trial.arm not in answers:
            try:
                table = read_answers(verified_examples(store, evaluation), ("id", "prediction", "parsed", "score"))
            except InputError as error:
                logger.warning("%s: %s; its answers are not shown", error.place, error.law)
                continue
            answers[trial.arm] = {row["id"]: _answer(row) for row in table.to_pylist()}
    return answers


def _answer(row: Mapping[str, Any]) -> SampleAnswer:
    parsed = json.loads(row["parsed"]) if str(row["parsed"]).startswith("{") else {}
    return SampleAnswer(row["prediction"], row["score"], tuple(parsed.get("unsupported", ())))
