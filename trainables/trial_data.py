"""Load the data of a trial: prepared sources, tokenizer, cached features, and batches collated from them.

Shapes: B records of a micro-batch, T text tokens, P positions of the feature grid, C length of a feature.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain, compress, islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from search_spaces.identity import features_key, source_name
from search_spaces.spec import PromptStyle, SourceSpec, StageSpec
from trainables.data.batches import FILLER, BatchPlan, micro_batches
from trainables.data.mix import Mix, realise
from trainables.data.packs import pack
from trainables.data.parallel import in_order
from trainables.data.prepared import PreparedSource
from trainables.feature_files import FeatureRows, Features, open_features
from trainables.features import encode_blank
from trainables.model.dropout import record_draws
from trainables.model.images import pixels
from trainables.model.packed_batch import PackedBatch, Text, pack_row
from trainables.model.tokenizer import IGNORE, Tokenizer, build_tokenizer
from trainables.model.tokenizer_files import tokenizer_files
from trainables.model.vision import VisionEncoder, build_vision
from trainables.model.vlm import Batch
from trainables.storage.store import Store
from trainables.task import TrialTask

_TOKENISED_RECORDS = 20_000
"""Largest mix whose records are tokenised once and kept (some kB each). Of a larger one only the records in use are
kept, as an epoch is over before a record comes again."""

_RECORDS_IN_USE = 4096

_PLANNED_STEPS = 64
"""Steps whose rows are kept: more than are loaded ahead of the one that is computed."""

_PACKED_AHEAD = 2
"""Steps whose rows are packed before one of their micro-batches is loaded."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class TrialData:
    """Data sources, cached features and tokenizer of one trial, each opened once. All ranks of a group make theirs."""

    def __init__(self, task: TrialTask, store: Store) -> None:
        self._task, self._store = task, store
        self.root = Path(task.data)
        self._prepared: dict[str, PreparedSource] = {}
        self._blank_features: Features | None = None
        self.tokenizer = self._open_tokenizer()

    def source(self, source: SourceSpec) -> PreparedSource:
        """Open a prepared source."""
        name = source_name(source)
        if name not in self._prepared:
            self._prepared[name] = PreparedSource(self._store, self._task.digests[name])
        return self._prepared[name]

    def features(self, source: SourceSpec) -> FeatureRows | None:
        """Map the cached features of a source's pictures; None if the plan has none for this trial's encoder.

        Raises:
            DamagedArtifactError: the plan has them, and they are damaged or not there.
        """
        key = self._planned_key(source)
        return None if key is None else open_features(self._store, key)

    def is_planned(self, source: SourceSpec) -> bool:
        """Check whether the plan has cached features of a source's pictures for this trial's encoder."""
        return self._planned_key(source) is not None

    def _planned_key(self, source: SourceSpec) -> str | None:
        spec = self._task.trial
        key = features_key(spec.vision, source, spec.draws.init, self._task.digests)
        return key if key in {features.key for features in self._task.features} else None

    def blank_features(self, encoder: torch.nn.Module | None, device: str) -> Features:
        """Compute the features of one blank image, once.

        Args:
            encoder: of the model; None where it was built without, as all images come as cached features. Those are
                of the encoder in fp32, which is then built for this image alone.
            device: `cpu` or `cuda`.
        """
        if self._blank_features is None:
            spec = self._task.trial
            if encoder is None:
                encoder = build_vision(spec.vision, spec.draws.init, self.root).to(device)
            assert isinstance(encoder, VisionEncoder)
            self._blank_features = encode_blank(encoder)
        return self._blank_features

    def _open_tokenizer(self) -> Tokenizer:
        language = self._task.trial.language

        def texts() -> Iterable[str]:
            return chain.from_iterable(self.source(source).texts() for source in language.tokenizer.vocabulary)

        if language.checkpoint is None or language.tokenizer.kind != "checkpoint":
            return build_tokenizer(language, texts, None)
        with tokenizer_files(language.checkpoint, self.root) as path:
            return build_tokenizer(language, texts, path)


@dataclass(frozen=True)
class StepInput:
    """Input of one optimizer step on one rank."""

    batches: Iterator[Batch | PackedBatch]
    """Of each forward pass."""
    passes: int
    """How many there are, on every rank."""
    targets: int
    """Target tokens of the whole global batch, on all ranks."""
    records: int
    """Records of the whole global batch, without fillers."""


@dataclass(frozen=True)
class _Pass:
    """Records of a forward pass of one rank. With a step's first, the targets of the whole step are counted, too."""

    step: int
    is_first: bool
    records: Sequence[int]
    """`FILLER` among them; none in a row that is packed of none."""


class StageData:
    """Inputs of a stage's optimizer steps: a pure function of the step number.

    Args:
        data: of the trial.
        task: the trial.
        stage: of the trial.
        use_features: whether cached features stand for images.
        drops_padding: whether the records of a micro-batch are laid one after the other instead of being padded.
    """

    def __init__(
        self, data: TrialData, task: TrialTask, stage: StageSpec, use_features: bool, drops_padding: bool = False
    ) -> None:
        spec = task.trial
        self._packing = stage.packing
        self._has_rows_of_several = stage.packing is not None or drops_padding
        self.decodes = not use_features
        """Whether images are decoded, rather than their features read."""
        self._vision = spec.vision
        self._max_length = spec.language.max_length
        self._tokenizer = data.tokenizer
        self._draws = partial(record_draws, spec.draws.order, stage.name)
        self._style: PromptStyle = stage.prompt or spec.language.prompt
        sources = {source_name(part.source): part.source for part in stage.data.parts}
        self.mix: Mix = realise(stage.data, {name: data.source(s) for name, s in sources.items()}, spec.draws.data)
        self._has_image = self.mix.has_image()
        self.features = [data.features(sources[name]) if use_features else None for name in self.mix.names]
        """Cached features of each source of the mix."""
        kept = len(self.mix) if len(self.mix) <= _TOKENISED_RECORDS else _RECORDS_IN_USE
        self._tokenizing = Lock()
        """Tokenizers of checkpoints refuse to be used by two threads at once when they change their own settings."""
        self._tokens = lru_cache(maxsize=kept)(self._tokenise)
        self._packs = lru_cache(maxsize=_PLANNED_STEPS)(self._pack)
        self.plan = BatchPlan(
            self._has_image, self.mix.characters(), stage.global_batch, f"{spec.draws.order}/{stage.name}"
        )

    def step(self, step: int, rank: int, world: int, micro_batch: int) -> StepInput:
        """Load the input of one optimizer step, all of its micro-batches in memory.

        Args:
            step: optimizer step, from 0.
            rank: rank of the worker.
            world: number of workers.
            micro_batch: records per worker and forward pass; of no account where the stage packs its records.
        """
        with closing(self.steps(range(step, step + 1), rank, world, micro_batch)) as inputs:
            loaded = next(inputs)
            return replace(loaded, batches=iter(list(loaded.batches)))

    def steps(
        self, steps: range, rank: int, world: int, micro_batch: int, threads: int = 0, pinned: bool = False
    ) -> Generator[StepInput, None, None]:
        """Load the inputs of consecutive optimizer steps; each must be used up before the next.

        With threads, the next micro-batches are read, decoded, resized, tokenised and collated during the computation;
        one more thread packs records into rows, for which all of a step are tokenised. Threads change neither bits nor
        order.

        Args:
            steps: optimizer steps, from 0.
            rank: rank of the worker.
            world: number of workers.
            micro_batch: records per worker and forward pass; of no account where the stage packs its records.
            threads: number of loading threads; 0 to load in this thread.
            pinned: whether batches are in page-locked memory, from which a GPU copies asynchronously.
        """

        def load(each: _Pass) -> tuple[int, Batch | PackedBatch]:
            batch = self._collate(each.records, each.step)
            return self._targets(each.step) if each.is_first else 0, batch.pinned() if pinned else batch

        def passes(step: int) -> Sequence[Sequence[int]]:
            return self.passes(step, rank, world, micro_batch)

        planners = min(threads, 1) if self._packing is not None else 0
        with closing(in_order(passes, steps, planners, _PACKED_AHEAD)) as planned:
            parts = (
                _Pass(step, number == 0, records)
                for step, of_step in zip(steps, planned, strict=True)
                for number, records in enumerate(of_step)
            )
            with closing(in_order(load, parts, threads, 2 * threads)) as loaded:
                for step in steps:
                    targets, first = next(loaded)
                    number = len(passes(step))
                    batches = chain([first], (batch for _, batch in islice(loaded, number - 1)))
                    yield StepInput(batches, number, targets, len(self._records(step)))

    def passes(self, step: int, rank: int, world: int, micro_batch: int) -> Sequence[Sequence[int]]:
        """Return the records of each forward pass of a step on one rank; the arguments are those of `step`."""
        if self._packing is None:
            return [rows.tolist() for rows in micro_batches(self.plan.batch(step), rank, world, micro_batch)]
        return self._packs(step, world)[rank]

    def heaviest(self, steps: range, world: int) -> int:
        """Return the step that takes the most memory, as far as characters tell; of packed ones that of fullest rows.

        Args:
            steps: to choose from.
            world: number of workers.
        """
        if self._packing is None:
            return self.plan.heaviest(steps)
        characters, longest_row = self.mix.characters(), self._packing.tokens
        sample = self._records(steps[0])
        tokens_each = sum(len(self._tokens(record)[0]) for record in sample) / max(1, int(characters[sample].sum()))
        lengths = 1 + self._vision.tokens * self._has_image + np.ceil(tokens_each * characters).astype(int)

        def fullest_row(step: int) -> int:
            of_step: list[int] = lengths[self._records(step)].tolist()
            return max(sum(row) for share in pack(of_step, of_step, longest_row, world) for row in share)

        return max(steps, key=fullest_row)

    def _pack(self, step: int, world: int) -> list[list[list[int]]]:
        assert self._packing is not None
        records = self._records(step)
        return pack(records, [self._positions(record) for record in records], self._packing.tokens, world)

    def _records(self, step: int) -> list[int]:
        """List the records of a step, without fillers."""
        rows = self.plan.batch(step)
        return rows[rows != FILLER].tolist()  # type: ignore[no-any-return]

    def _positions(self, record: int) -> int:
        """Count the positions of a record: BOS, visual tokens, text."""
        return 1 + self._vision.tokens * bool(self._has_image[record]) + len(self._tokens(record)[0])

    def _targets(self, step: int) -> int:
        return sum(int((self._tokens(record)[1] != IGNORE).sum()) for record in self._records(step))

    def _tokenise(self, record: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        turns = self.mix.sources[self.mix.source[record]].turns(int(self.mix.row[record]))
        with self._tokenizing:
            return self._tokenizer.encode_turns(self._style, turns, self._max_length)

    def _collate(self, records: Sequence[int], step: int) -> Batch | PackedBatch:
        return self._in_a_row(records, step) if self._has_rows_of_several else self._padded(records, step)

    def _padded(self, records: Sequence[int], step: int) -> Batch:
        texts = [self._tokens(record) if record != FILLER else _FILLER_TOKENS for record in records]
        ids, labels, mask = pad([ids for ids, _ in texts], [labels for _, labels in texts], self._tokenizer.pad)
        image_BCHW, features_BPC = self._images([record if record != FILLER else None for record in records])
        return Batch(ids, labels, mask, image_BCHW, features_BPC, self._draws(step, records))

    def _in_a_row(self, rows: Sequence[int], step: int) -> PackedBatch:
        records = [record for record in rows if record != FILLER]
        shown = [bool(self._has_image[record]) for record in records]
        draws = self._draws(step, records).tolist()
        texts = [
            Text(*self._tokens(record), has_image, draw)
            for record, has_image, draw in zip(records, shown, draws, strict=True)
        ]
        images = self._images(list(compress(records, shown)))
        return pack_row(texts, self._tokenizer.bos, self._vision.tokens, *images)

    def _images(self, records: Sequence[int | None]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Load the pixels or the cached features of the records' images; a filler (None) gets the first record's.

        A micro-batch of fillers alone is treated as one without images: its loss is zero in either case.
        """
        first = next((record for record in records if record is not None), None)
        if first is None or not self._has_image[first]:
            return None, None
        shown = [first if record is None else record for record in records]
        if all(features is not None for features in self.features):
            return None, torch.from_numpy(np.stack([self._feature(record) for record in shown]))
        return torch.from_numpy(np.stack([self._pixels(record) for record in shown])), None

    def _feature(self, record: int) -> Features:
        features: FeatureRows | None = self.features[self.mix.source[record]]
        row = self.picture_row(record)
        assert features is not None
        assert row is not None
        return features.row(row)

    def picture_row(self, record: int) -> int | None:
        """Return the row of a record's image among its source's pictures; None of a record without an image."""
        row = self._image_row(record)
        return int(self.mix.sources[self.mix.source[record]].picture_rows[row]) if row >= 0 else None

    def _pixels(self, record: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return pixels(self.mix.sources[self.mix.source[record]].picture(self._image_row(record)), self._vision)

    def _image_row(self, record: int) -> int:
        return int(self.mix.sources[self.mix.source[record]].image_rows[self.mix.row[record]])


_FILLER_TOKENS = (np.zeros(0, np.int64), np.zeros(0, np.int64))


def pad(
    ids: list[np.ndarray[Any, Any]], labels: list[np.ndarray[Any, Any]], pad_id: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pad token ids and labels on the right.

    Args:
        ids: token ids of each record.
        labels: labels of each record, as long as its ids.
        pad_id: id of the padding token; the labels of padding are `IGNORE`.

    Returns:
        Ids, labels and attention mask, B x T each, with T the longest record's length and at least 1.
    """
    width = max(1, *(len(row) for row in ids)) if ids else 1
    ids_BT = torch.full((len(ids), width), pad_id, dtype=torch.long)
    labels_BT = torch.full((len(ids), width), IGNORE, dtype=torch.long)
    mask_BT = torch.zeros((len(ids), width), dtype=torch.long)
    for i, (row_ids, row_labels) in enumerate(zip(ids, labels, strict=True)):
        ids_BT[i, : len(row_ids)] = torch.from_numpy(row_ids)
        labels_BT[i, : len(row_labels)] = torch.from_numpy(row_labels)
        mask_BT[i, : len(row_ids)] = 1
    return ids_BT, labels_BT, mask_BT
