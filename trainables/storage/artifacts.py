"""Verify the artifacts on storage: folders of binary files with the record that stands for them. No torch.

`verify_artifact` is the one door: whoever reads an artifact, counts it as done, or only asks whether it is whole (a
whole storage, file by file) gets the same answer. There are two depths:

- `shape`: records, sizes, headers and footers, and what somebody has found and marked before. A few reads of some
  kilobytes, however large the files are.
- `content`: every byte, against the digests that were recorded when it was written. Files of versions that recorded
  none are named as `unrecorded`: of these the shape is all that can be told.

Who finds damage that only the content shows marks it (`trainables.storage.damages`), so that all others see it at a
glance.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Literal, TypeVar

from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.damages import CHANGED, Damage, absent, changed_row, marked_damage
from trainables.storage.digests import ROW_DIGEST_BYTES, confirmed, facts_if_changed, first_changed_row
from trainables.storage.payloads import (
    Check,
    check_arrow,
    check_npy,
    check_parquet,
    check_safetensors,
    damage,
    seek_npy_rows,
)
from trainables.storage.picture_files import ChangedPictureError, PictureFiles
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult, FeaturesResult, PreparedManifest, StageResult
from trainables.storage.store import Facts, Store

Depth = Literal["shape", "content"]

R = TypeVar("R")


@dataclass(frozen=True)
class Verified:
    """What a look at one artifact has shown."""

    damages: tuple[Damage, ...] = ()
    """Empty if it is whole, as far as was looked."""
    unrecorded: tuple[str, ...] = ()
    """Files whose content nobody can tell from another: the version that wrote them recorded no digest."""

    def __add__(self, later: Verified) -> Verified:
        return Verified(self.damages + later.damages, self.unrecorded + later.unrecorded)


WHOLE = Verified()


def verify_artifact(store: Store, folder: str, depth: Depth) -> Verified:
    """Verify all files of one artifact; what is not there, or has no record yet, is unfinished and not damaged.

    Args:
        store: where it is.
        folder: `stages/<key>`, `features/<key>`, `evaluations/<key>`, `data/<digest>` or `pictures/<digest>`.
        depth: how much is read.

    Raises:
        ValueError: the folder is that of no artifact.
    """
    kind, _, key = folder.partition("/")
    match kind:
        case "stages":
            return verify_stage(store, key, depth)
        case "features":
            return verify_features(store, key, depth)
        case "evaluations":
            names = [
                name for name in store.list(folder) if name.endswith(".json") and name != layout.damage_mark(folder)
            ]
            benchmarks = [PurePosixPath(name).stem for name in names if PurePosixPath(name).parent.name == key]
            return sum((verify_evaluation(store, key, benchmark, depth) for benchmark in benchmarks), WHOLE)
        case "data":
            return verify_source(store, key, depth)
        case "pictures":
            return verify_pictures(store, key, depth)
        case _:
            raise ValueError(f"an artifact must be in stages, features, evaluations, data or pictures, not {folder}")


def verify_stage(store: Store, key: str, depth: Depth, modules: Collection[str] | None = None) -> Verified:
    """Verify the result of a stage and its weights.

    Args:
        store: where it is.
        key: of the stage.
        depth: how much is read.
        modules: whose weights are looked at; None for all that it trained.
    """
    folder = layout.stage_folder(key)
    result, verified = _record(store, layout.stage_result(key), StageResult)
    if result is None:
        return verified
    looked_at = set(result.modules if modules is None else result.modules.keys() & set(modules))
    others = {layout.module_weights(folder, module) for module in result.modules.keys() - looked_at}
    verified += _marked(store, folder, others)
    for module in sorted(looked_at):
        name = layout.module_weights(folder, module)
        verified += _file(store, name, check_safetensors, depth, result.modules[module])
    return verified


def verify_features(store: Store, key: str, depth: Depth) -> Verified:
    """Verify cached features; the arguments are those of `verify_stage`."""
    result, verified = _record(store, layout.features_result(key), FeaturesResult)
    if result is None:
        return verified
    name, rows = layout.features_array(key), layout.features_rows(key)
    shape = _marked(store, layout.features_folder(key))
    shape += _file(store, name, partial(check_npy, shape=result.shape), "shape")
    if not result.rows_digest:
        return shape + Verified(unrecorded=(name,))
    shape += _file(
        store, rows, partial(_check_size, size_bytes=result.shape[0] * ROW_DIGEST_BYTES), depth, result.rows_digest
    )
    if depth == "shape" or shape.damages:
        return shape
    row_bytes, digests = 4 * math.prod(result.shape[1:]), store.get(rows)

    def look() -> tuple[Facts, int] | None:
        facts = store.facts(name)
        with store.open(name) as file:
            seek_npy_rows(file)
            row = first_changed_row(file, row_bytes, digests)
        return None if row is None else (facts, row)

    change = confirmed(look, store.place(name))
    return shape if change is None else shape + _damaged(store, name, changed_row(change[1]), change[0])


def verify_evaluation(store: Store, key: str, benchmark: str, depth: Depth) -> Verified:
    """Verify the result of an evaluation and its scores per example.

    Args:
        store: where they are.
        key: of the evaluation.
        benchmark: name of what was asked.
        depth: how much is read.
    """
    result, verified = _record(store, layout.evaluation_result(key, benchmark), EvaluationResult)
    return verified if result is None else verified + verify_examples(store, result, depth)


def verify_examples(store: Store, result: EvaluationResult, depth: Depth) -> Verified:
    """Verify the scores per example of an evaluation whose result was read."""
    name = result.examples
    if not result.examples_digest:
        return _file(store, name, check_parquet if depth == "content" else _check_not_empty, "shape") + Verified(
            unrecorded=(name,)
        )
    return _file(store, name, partial(_check_size, size_bytes=result.examples_bytes), depth, result.examples_digest)


def verify_source(store: Store, digest: str, depth: Depth) -> Verified:
    """Verify the manifest, the records and the list of images of a prepared source, without its pictures."""
    manifest, verified = _record(store, layout.data_result(digest), PreparedManifest)
    if manifest is None:
        return verified
    verified += _marked(store, layout.data_folder(digest))
    for name in (layout.data_records(digest), layout.data_images(digest)):
        verified += _file(store, name, check_arrow, depth, manifest.digests.get(PurePosixPath(name).name, ""))
    return verified


def verify_pictures(store: Store, digest: str, depth: Depth) -> Verified:
    """Verify the pictures that sources share, each by its own digest."""
    folder = layout.pictures_folder(digest)
    content, places = layout.pictures_bytes(digest), layout.pictures_places(digest)
    verified = _marked(store, folder) + _file(store, content, check_arrow, "shape")
    verified += _file(store, places, check_arrow, "shape")
    if depth == "shape" or verified.damages:
        return verified
    try:
        pictures = PictureFiles(store, digest)
        if not pictures.is_digested:
            return verified + Verified(unrecorded=(content,))
        for row in range(len(pictures)):
            pictures.read(row)
    except ChangedPictureError as error:
        return verified + Verified((error.damage,))
    return verified


def _record(store: Store, name: str, kind: type[R]) -> tuple[R | None, Verified]:
    try:
        return read(store, name, kind), WHOLE
    except InputError as error:
        return None, Verified((record_damage(store, name, error),))


def record_damage(store: Store, name: str, error: InputError) -> Damage:
    """Say what is wrong with a record that `record_files.read` refuses."""
    return Damage(name, error.law.partition(", but ")[2] or error.law, store.place(name))


def _marked(store: Store, folder: str, others: Collection[str] = ()) -> Verified:
    """Report what somebody has marked in an artifact, unless it is of files that are not looked at (`others`)."""
    marked = marked_damage(store, folder)
    return WHOLE if marked is None or marked.file in others else Verified((marked,))


def _file(store: Store, name: str, check: Check, depth: Depth, digest: str = "") -> Verified:
    problem = damage(store, name, check)
    if problem is not None:
        return _damaged(store, name, problem)
    if depth == "shape":
        return WHOLE
    if not digest:
        return Verified(unrecorded=(name,))
    try:
        changed = facts_if_changed(store, name, digest)
    except FileNotFoundError:  # set aside since its shape was looked at
        return Verified((absent(store, name),))
    return WHOLE if changed is None else _damaged(store, name, CHANGED, changed)


def _damaged(store: Store, name: str, problem: str, read: Facts | None = None) -> Verified:
    return Verified((Damage(name, problem, store.place(name), read),))


def _check_size(file: object, size: int, *, size_bytes: int) -> str | None:
    return None if size == size_bytes else f"it has {size:,} bytes where {size_bytes:,} were written"


def _check_not_empty(file: object, size: int) -> str | None:
    return None if size else "it is empty"
