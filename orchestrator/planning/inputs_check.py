"""Look whether data and weights are where a study says, without reading, digesting or fetching them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.planning.preflight import checkpoints_of, sources_of
from search_spaces.errors import InputError
from search_spaces.full_storage import disk_trouble
from search_spaces.identity import source_name, weights_name
from search_spaces.spec import BenchmarkSpec, SourceSpec, TrialSpec


@dataclass(frozen=True)
class FoundInputs:
    """Data and weights of a study by what a run has to do with them."""

    missing: tuple[str, ...]
    """What is not there: its name, and where it was looked for."""
    unread: tuple[str, ...]
    """Names of what no run on this storage has read."""
    fetched: tuple[str, ...]
    """Weights of the hub that are not on this machine."""


def find_inputs(
    specs: Sequence[TrialSpec], asked: Sequence[BenchmarkSpec], known: set[str], data_root: Path
) -> FoundInputs:
    """Look for the files of every source and checkpoint.

    Args:
        specs: of the trials that are to run.
        asked: benchmarks and samples that they are to answer.
        known: names of the digests that storage knows.
        data_root: folder in which relative paths of sources and weights start.
    """
    missing, unread, fetched = list[str](), list[str](), list[str]()
    for source in sources_of(specs, asked):
        try:
            _look_for_source(source, data_root)
        except (InputError, OSError) as error:
            missing.append(_sentence(source.declared, error))
        else:
            unread += [] if source_name(source) in known else [source.declared]
    for origin in checkpoints_of(specs):
        try:
            is_here = _is_here(origin, data_root)
        except (InputError, OSError) as error:
            missing.append(_sentence(origin, error))
        else:
            fetched += [] if is_here else [origin]
            unread += [origin] if is_here and weights_name(origin) not in known else []
    return FoundInputs(tuple(missing), tuple(unread), tuple(fetched))


def _look_for_source(source: SourceSpec, data_root: Path) -> None:
    """Open the reader of a source and look at its files; a miniature is drawn by the run that reads it."""
    from trainables.data.readers import READERS
    from trainables.miniature.generate import ROOT

    if source.path is not None and source.path.startswith(ROOT) and not (data_root / source.path).exists():
        return
    READERS[source.reader](source, data_root).signature()


def _is_here(origin: str, data_root: Path) -> bool:
    """Check whether weights are on this machine. Raises InputError where they are and must be, but are not."""
    from trainables.model.weights import find_weights, local_weights

    if not origin.startswith("hub:"):
        find_weights(origin, data_root)
        return True
    return local_weights(origin, data_root) is not None


def _sentence(name: str, error: InputError | OSError) -> str:
    said = error.law if isinstance(error, InputError) else disk_trouble(error, str(error.filename))
    return f"{name}: {said}"
