"""Open the data of a trial for its rehearsal: features that the trial reads from a cache are computed as needed.

The cache itself is not touched, whether it is there or not: what is damaged in it is made again by who has its lease.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec, ChosenExamples, SourceSpec
from trainables.data.batches import FILLER
from trainables.data.pictures import Pictures
from trainables.draws import generator
from trainables.feature_files import FeatureRows, Features, Rows
from trainables.features import IMAGES_AT_ONCE, encode_images
from trainables.model.vision import VisionEncoder, build_vision
from trainables.storage.store import Store
from trainables.task import Context, TrialTask
from trainables.trial_data import StageData, TrialData


class ComputedFeatures:
    """Features of pictures, computed once when they are first read.

    Args:
        data: whose encoder computes them.
        pictures: of a source.
    """

    def __init__(self, data: RehearsalData, pictures: Pictures):
        self._data, self._pictures = data, pictures
        self._computed: dict[int, Features] = {}

    def row(self, row: int) -> Features:
        """Compute the features of one picture, or return them if they were."""
        self.compute([row])
        return self._computed[row]

    def rows(self, rows: Rows) -> Features:
        """Return the features of some pictures."""
        wanted = [int(row) for row in rows]
        self.compute(wanted)
        return np.stack([self._computed[row] for row in wanted])

    def compute(self, rows: Sequence[int]) -> None:
        """Compute the features of those of some pictures that are not there yet."""
        missing = sorted(set(rows) - self._computed.keys())
        for start in range(0, len(missing), IMAGES_AT_ONCE):
            chunk = missing[start : start + IMAGES_AT_ONCE]
            self._computed.update(zip(chunk, self._data.encode(self._pictures, chunk), strict=True))


class RehearsalData(TrialData):
    """Data of a trial whose cached features need not be there.

    Args:
        task: of the rehearsal.
        store: where the prepared sources are.
        context: device of this worker.
    """

    def __init__(self, task: TrialTask, store: Store, context: Context) -> None:
        super().__init__(task, store)
        self._spec, self._device = task.trial, context.device
        self._encoder: VisionEncoder | None = None
        self._computed: dict[str, ComputedFeatures] = {}

    def features(self, source: SourceSpec) -> FeatureRows | None:
        """Return the features of a source's pictures; None if the plan has none for this trial's encoder."""
        if not self.is_planned(source):
            return None
        name = source_name(source)
        if name not in self._computed:
            self._computed[name] = ComputedFeatures(self, self.source(source).pictures)
        return self._computed[name]

    def encode(self, pictures: Pictures, rows: Sequence[int]) -> Features:
        """Compute the features of some pictures in fp32, as the cache holds them."""
        if self._encoder is None:
            self._encoder = build_vision(self._spec.vision, self._spec.draws.init, self.root)
        return encode_images(self._encoder.to(self._device), pictures, self._spec.vision, rows, self._device)

    def compute_ahead(self, data: StageData, step: int, context: Context, micro_batch: int) -> None:
        """Compute the features of all images of an optimizer step of this rank in few forward passes.

        Args:
            data: of the stage.
            step: optimizer step, from 0.
            context: rank and world size of this worker.
            micro_batch: records per worker and forward pass.
        """
        passes = data.passes(step, context.rank, context.world, micro_batch)
        records = [record for shown in passes for record in shown if record != FILLER]
        for number, features in enumerate(data.features):
            if isinstance(features, ComputedFeatures):
                shown = [record for record in records if data.mix.source[record] == number]
                features.compute([row for row in map(data.picture_row, shown) if row is not None])

    def set_encoder_aside(self) -> None:
        """Free the device of the encoder: a trial that reads cached features trains without it."""
        if self._encoder is not None:
            self._encoder.to("cpu")


def few_questions(benchmark: BenchmarkSpec, data: TrialData, count: int, shape: str) -> BenchmarkSpec:
    """Keep some questions of an evaluation set, drawn without regard to the trial.

    Args:
        benchmark: the evaluation set.
        data: with its source.
        count: questions that are kept, if there are so many.
        shape: that is rehearsed; another one of equal weights finds no answers to these questions, and gives its own.
    """
    source = data.source(benchmark.source)
    if benchmark.only is not None:
        ids = list(benchmark.only.ids)
    else:
        rows = list(range(len(source))) if benchmark.select is None else source.rows_with(benchmark.select)
        ids = [source.id(row) for row in generator("rehearsal", benchmark.id).permutation(rows)[:count].tolist()]
    kept = tuple(sorted(set(ids[:count])))
    return benchmark.model_copy(
        update={"sample": None, "only": ChosenExamples(digest=f"rehearsal of {shape}", ids=kept)}
    )
