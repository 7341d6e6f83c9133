"""Find the trained stages of a trial that must be trained again, because what is still to be done reads their weights.

Weights that are damaged cost hours to make again, and most of them nobody reads any more: a later stage has trained
the same module further, or all that was to be asked of the model is answered. No torch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from trainables.storage import layout
from trainables.storage.artifacts import Depth, verify_stage
from trainables.storage.damages import Damage
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import Store


def lost_stages(
    store: Store, keys: Sequence[str | None], depth: Depth, *, is_scored: bool
) -> dict[int, tuple[Damage, ...]]:
    """Find the stages of a trial that must be trained again, last to first.

    The weights of a stage are read by the first stage after it that is trained, and by the evaluation, of each module
    the latest. A stage whose result is damaged is lost in any case.

    Args:
        store: where the stages are.
        keys: of the trial's stages, in their order; None of those that are not known yet.
        depth: how much is read of the weights that something reads.
        is_scored: whether nothing is left to ask of the trained model.

    Returns:
        Position of a stage in the trial, from 0 -> what is damaged of it.
    """
    lost: dict[int, tuple[Damage, ...]] = {}
    reads, taken = not is_scored and not _is_diverged(store, keys), set[str]()
    for index in reversed(range(len(keys))):
        key = keys[index]
        verified = verify_stage(store, key, "shape", ()) if key is not None else None
        if verified is not None and verified.damages:
            lost[index] = verified.damages
        result = None if key is None or verified is None or verified.damages else _result(store, key)
        if key is None or result is None:
            reads, taken = True, set()
            continue
        wanted: Collection[str] = result.modules.keys() - taken if reads else ()
        damages = verify_stage(store, key, depth, wanted).damages
        if damages:
            lost[index] = damages
            reads, taken = True, set()
        else:
            taken |= result.modules.keys()
    return lost


def _is_diverged(store: Store, keys: Sequence[str | None]) -> bool:
    known = [key for key in keys if key is not None and not verify_stage(store, key, "shape", ()).damages]
    return any(result.diverged for key in known if (result := _result(store, key)) is not None)


def _result(store: Store, key: str) -> StageResult | None:
    return read(store, layout.stage_result(key), StageResult)
