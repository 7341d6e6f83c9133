"""Compare pretrained weights on a node with those a run was planned with, by names and sizes of files. No torch.

Contents are digested once, where the run was started. On other nodes nothing is read and nothing fetched before a trial
is there, which is what takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from trainables.model.weights import fetched_weights, find_weights, is_hub_offline, local_weights, weight_files

_HUB_CONFIGURATION = ("config.json", "tokenizer.json", "tokenizer.model")
"""Files beside the weights that must be alike in two snapshots; the hub's clients fetch others or leave them out."""

_SHOWN = 3
"""Files that are named of those that differ."""


@dataclass(frozen=True)
class ExpectedWeights:
    """Files of a checkpoint where the run was started."""

    origin: str
    sizes: Mapping[str, int]
    """File, by its path inside the checkpoint -> bytes."""


@dataclass(frozen=True)
class WeightsOnNode:
    """What a node has of the checkpoints of a run."""

    lacking: tuple[str, ...] = ()
    """Checkpoints that are not there as expected, each with what is wrong and a way out, to complete "it lacks ..."."""
    fetched: tuple[str, ...] = ()
    """Origins of checkpoints that are not there, and that the first trial there fetches from the hub."""


def expect_weights(origins: Iterable[str], data_root: Path) -> tuple[ExpectedWeights, ...]:
    """List the files of checkpoints on this machine, where they were found and digested before.

    Args:
        origins: of the checkpoints.
        data_root: folder in which relative paths of weights start.
    """
    return tuple(ExpectedWeights(origin, _sizes(find_weights(origin, data_root))) for origin in origins)


def compare_weights(expected: Sequence[ExpectedWeights], data_root: Path) -> WeightsOnNode:
    """Compare the checkpoints on this machine with those expected. Nothing is read, and no hub is asked.

    Args:
        expected: checkpoints, as they are where the run was started.
        data_root: folder in which relative paths of weights start.
    """
    lacking, fetched = list[str](), list[str]()
    for weights in expected:
        try:
            trouble = _trouble(weights, data_root)
        except InputError as error:
            trouble = error.law
        except OSError as error:
            trouble = first_line(error)
        if trouble is not None:
            lacking.append(f"{weights.origin} ({trouble}; {_way_out(weights.origin, data_root)})")
        elif weights.origin.startswith("hub:") and local_weights(weights.origin, data_root) is None:
            fetched.append(weights.origin)
    return WeightsOnNode(tuple(lacking), tuple(fetched))


def _trouble(weights: ExpectedWeights, data_root: Path) -> str | None:
    """Say what is wrong with a checkpoint on this machine; None if nothing is, or if it is yet to be fetched."""
    kind = weights.origin.partition(":")[0]
    path = find_weights(weights.origin, data_root) if kind == "package" else local_weights(weights.origin, data_root)
    if path is None and kind == "hub":
        return "it is not there, and HF_HUB_OFFLINE is set" if is_hub_offline() else None
    if path is None:
        return "it is not there"
    own = _sizes(path)
    if kind != "hub":
        return _difference(_listed(weights.sizes), _listed(own))
    expected = _of_hub(weights.sizes)
    return _difference(expected, {name: size for name, size in own.items() if name in expected})


def _sizes(path: Path) -> dict[str, int]:
    """Map the files of a checkpoint to their sizes in bytes."""
    root = path.parent if path.is_file() else path
    return {file.relative_to(root).as_posix(): file.stat().st_size for file in weight_files(path)}


def _listed(sizes: Mapping[str, int]) -> dict[str, int]:
    """Keep the files that are no notes of a download: `hf download --local-dir` leaves hidden folders."""
    return {name: size for name, size in sizes.items() if not any(part[0] == "." for part in PurePosixPath(name).parts)}


def _of_hub(sizes: Mapping[str, int]) -> dict[str, int]:
    """Keep the files of weights that are fetched from a hub's repository, its configuration and its tokenizer."""
    weights = fetched_weights(sizes)
    return {name: size for name, size in sizes.items() if name in weights or name in _HUB_CONFIGURATION}


def _difference(expected: Mapping[str, int], own: Mapping[str, int]) -> str | None:
    """Say in which files two checkpoints differ by name and size; None if in none."""
    names = sorted(name for name in {*expected, *own} if expected.get(name) != own.get(name))
    if not names:
        return None

    def described(name: str) -> str:
        if name not in own:
            return f"{name} is missing"
        if name not in expected:
            return f"{name} is not where the run was started"
        return f"{name} has {own[name]:,} bytes, not {expected[name]:,}"

    more = [f"{len(names) - _SHOWN} more files differ"] if len(names) > _SHOWN else []
    return ", ".join([*map(described, names[:_SHOWN]), *more])


def _way_out(origin: str, data_root: Path) -> str:
    """Say how a node comes to a checkpoint."""
    kind, _, name = origin.partition(":")
    if kind == "package":
        return "install the version there that the machine of the run has"
    if kind == "path":
        return f"copy it to {data_root / name}, or give a data folder that all nodes see with --data"
    return f"copy it to {data_root / 'hub' / name.partition('@')[0]}, or let the node fetch it anew"
