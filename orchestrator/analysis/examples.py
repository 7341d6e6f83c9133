"""The examples that a benchmark consists of, and the scores of one trial on them.

Images carry unequal numbers of examples, so a cell keeps sums per image. All scores are in points: 100 x the mean
per-example score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.intervals import Floats
from orchestrator.state.losses import Loss, say
from orchestrator.state.trial_records import SCORED_AGAIN
from search_spaces.errors import InputError
from trainables.benchmarks.priors import CHANCE_COLUMN, PRIOR_COLUMN
from trainables.benchmarks.reading_notes import NOTED_SHARE, TELLING_SHARE
from trainables.storage.artifacts import verify_examples
from trainables.storage.records import EvaluationResult
from trainables.storage.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED_IDS = 5


@dataclass(frozen=True, eq=False)
class Examples:
    """What one per-example Parquet file holds, in any order."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """The image of each example."""
    scores: Floats
    """0 to 1."""
    priors: Mapping[str, Floats] = field(default_factory=dict)
    """What needs no image (`trainables.benchmarks.priors`) -> its score of each example."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Which examples a benchmark consists of, and which of them share an image. Cells with one frame are aligned."""

    benchmark: str
    images: str
    """What its cluster names belong to. Clusters of one name in two benchmarks with equal `images` are one image."""
    ids: tuple[str, ...]
    """Sorted."""
    clusters: tuple[str, ...]
    """Names of its images, sorted."""
    cluster_of: NDArray[np.intp]
    sizes: Floats
    """Number of examples of each image."""

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Cell:
    """The scores of one arm with one seed on one benchmark: sums per image, in points."""

    frame: Frame
    sums: Floats
    has_signal: bool
    above: Mapping[str, Floats] = field(default_factory=dict)
    """What needs no image -> by how much its scores are exceeded, sums per image in points. Empty once judged."""

    @cached_property
    def counts_examples(self) -> bool:
        """Whether its sums are whole numbers of right examples, so that its mean moves in steps."""
        right = self.sums / 100
        return bool(np.abs(right - np.rint(right)).max() < 1e-6)

    @property
    def mean(self) -> float:
        """Mean score of an example, in points."""
        return float(self.sums.sum() / self.frame.n)


def verified_examples(store: Store, evaluation: EvaluationResult) -> Path:
    """Return the path of the per-example Parquet of an evaluation, whose bytes are those that were written.

    Damage is warned of, once per process: who reads many files goes on without this one.

    Raises:
        DamagedArtifactError: the file is damaged or not there; it names the file and says how it is made again.
    """
    for damage in verify_examples(store, evaluation, "content").damages:
        say([Loss(damage, SCORED_AGAIN)])
        raise damage.error("Run the study again: its trial is scored anew.")
    return store.reading(evaluation.examples)


def read_examples(path: Path) -> Examples:
    """Read ids, images, scores and those of priors from a per-example Parquet file.

    Raises:
        InputError: if the file cannot be read, lacks a column, or holds a score outside 0 to 1.
    """
    import pyarrow as pa  # Arrow, which a report that is kept does not need

    table = read_answers(path, ("id", "cluster", "score"), _is_prior)
    ids, clusters = table["id"].to_pylist(), table["cluster"].to_pylist()
    if not pa.types.is_floating(table["score"].type):
        raise InputError(f"per-example scores must be numbers, but are {table['score'].type}", place=str(path))
    scores = table["score"].to_numpy().astype(np.float64)
    wrong = [str(ids[i]) for i in np.flatnonzero(~((scores >= 0) & (scores <= 1)))]
    if wrong:
        raise InputError(f"per-example scores must be from 0 to 1, but those of {some(wrong)} are not", place=str(path))
    priors = {
        name.removeprefix(PRIOR_COLUMN): table[name].to_numpy().astype(np.float64)
        for name in filter(_is_prior, table.column_names)
    }
    return Examples(tuple(map(str, ids)), tuple(map(str, clusters)), scores, priors)


def _is_prior(column: str) -> bool:
    return column == CHANCE_COLUMN or column.startswith(PRIOR_COLUMN)


def read_answers(path: Path, columns: Sequence[str], is_optional: Callable[[str], bool] | None = None) -> pa.Table:
    """Read columns of a per-example Parquet file.

    Args:
        path: of the file.
        columns: that it must have.
        is_optional: tells of further ones whether they are read where they are there.

    Raises:
        InputError: if the file cannot be read, or lacks a column.
    """
    import pyarrow as pa  # Arrow, which a report that is kept does not need
    import pyarrow.parquet as pq

    try:
        # A study has tens of thousands of such small files; `read_table` takes five times as long for each.
        file = pq.ParquetFile(pa.BufferReader(path.read_bytes()))
        there = file.schema_arrow.names
        missing = [column for column in columns if column not in there]
        if missing:
            raise ValueError(f"it has no column {', '.join(missing)}")
        further = filter(is_optional, there) if is_optional is not None else ()
        return file.read(columns=[*columns, *further], use_threads=False)
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise InputError(
            f"per-example scores must be a Parquet file with the columns {', '.join(columns)}, but {error}",
            place=str(path),
            way_out="Run the study again: its trial is scored anew.",
        ) from error


def unread_note(evaluation: EvaluationResult) -> str | None:
    """Say how many answers could not be read where they are more than a tenth; None where they are fewer."""
    if evaluation.unparsable <= NOTED_SHARE * evaluation.n:
        return None
    written = [warning for warning in evaluation.warnings if "could not be read" in warning]
    return written[0] if written else f"{evaluation.unparsable:,} of {evaluation.n:,} answers could not be read"


def is_mostly_unread(evaluation: EvaluationResult) -> bool:
    """Tell whether more than half of the answers could not be read: no verdict passes over that."""
    return evaluation.unparsable > TELLING_SHARE * evaluation.n


def common_frames(by_trial: Mapping[tuple[str, int], list[Frame]]) -> tuple[Frame, ...]:
    """Return the frames that all of these trials were scored on.

    Args:
        by_trial: (arm, seed) -> a frame for each benchmark.

    Raises:
        InputError: that names two trials which were scored on different examples.
    """
    (first, expected), *rest = by_trial.items()
    for trial, frames in rest:
        for frame, second in zip(expected, frames, strict=True):
            if frame is not second:
                raise _misaligned(first, frame, trial, second)
    return tuple(expected)


def _misaligned(
    first_trial: tuple[str, int], frame: Frame, second_trial: tuple[str, int], second_frame: Frame
) -> InputError:
    names = [f"{arm} (seed {seed})" for arm, seed in (first_trial, second_trial)]
    only = [sorted(set(frame.ids) - set(second_frame.ids)), sorted(set(second_frame.ids) - set(frame.ids))]
    details = [f"only {name} has {some(ids)}" for name, ids in zip(names, only, strict=True) if ids]
    if not details:
        pairs: list[list[Any]] = [[either.clusters[i] for i in either.cluster_of] for either in (frame, second_frame)]
        moved = [name for name, a, b in zip(frame.ids, *pairs, strict=True) if a != b]
        details = [f"the images of {some(moved)} differ"]
    return InputError(
        f"{names[0]} and {names[1]} must be scored on the same examples, but {'; '.join(details)}",
        place=f"benchmark {frame.benchmark}",
        way_out="The benchmark's data changed between the two: run the study again.",
    )


def some(names: Iterable[str]) -> str:
    """Name the first few, and count the rest."""
    listed = list(names)
    shown = ", ".join(listed[:_NAMED_IDS])
    return f"{shown} and {len(listed) - _NAMED_IDS} more" if len(listed) > _NAMED_IDS else shown
