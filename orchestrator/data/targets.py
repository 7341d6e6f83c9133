"""Find the sources that a data command is about: a study's, one of the catalogue, or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.planning.named_study import named_study
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests, sources_of
from search_spaces.catalogue.entries import SourceEntry
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError, nearest
from search_spaces.names import slug_of
from search_spaces.plan import Plan
from search_spaces.spec import ReaderKind, SourceSpec
from trainables.storage.store import LocalStore

_JSON = (".json", ".jsonl", ".ndjson")
_FILES: Mapping[str, ReaderKind] = {
    **dict.fromkeys((*_JSON, *(f"{suffix}.gz" for suffix in _JSON)), "llava"),
    ".parquet": "parquet",
}
"""Ends of file names, and the formats of such files."""


@dataclass(frozen=True)
class Target:
    """One source that a data command works on."""

    source: SourceSpec
    published: str | None
    """Where it is from, as the catalogue says."""
    plan: Plan | None = None
    """Plan of the study that has the source; None for a file or a source of the catalogue."""


def targets(
    what: str, images: Path | None, source: str | None, store: LocalStore, root: Path, overrides: Sequence[str] | None
) -> list[Target]:
    """Find the sources that an argument stands for.

    Args:
        what: a file of conversations (JSON, JSON Lines, Parquet), the name of a source of the catalogue, or a study.
        images: of a file: the folder in which its image paths start; None for the file's own folder.
        source: of a study: keep this source only, as the study's parts use it; as it is where none does.
        store: storage with the digests that a study is planned with.
        root: folder in which relative paths of sources and weights start.
        overrides: of a study: `KEY=VALUE` pairs laid over its file.

    Raises:
        InputError: if `what` is none of the three, or `source` is not there.
    """
    suffix = _suffix_of(what)
    if suffix is not None:
        return [Target(_file_source(Path(what), suffix, images), None)]
    if images is not None:
        raise InputError("is for JSON files; a source of the catalogue or of a study names its own", key="--images")
    entry = shipped().sources.get(what)
    if entry is not None:
        return [Target(_spec(what, entry), entry.source)]
    study = named_study(what, store.root, overrides or ())
    entries = {**shipped().sources, **study.sources}
    if source is not None and source not in entries:
        raise InputError(
            f"must be a source of the study or of the catalogue, but got {source!r}",
            key="--source",
            way_out=nearest(source, entries),
        )
    options = PlanOptions(storage=store.root, data=root)
    expansion = expand(study, options)
    if source is not None:
        uses = [use for use in sources_of(expansion.specs(), expansion.evaluation_sets) if use.name == source]
        return [Target(spec, entries[source].source) for spec in uses or [_spec(source, entries[source])]]
    planned = plan(expansion, options, known_digests(store))
    sources = sources_of((trial.spec for trial in planned.trials), planned.evaluation_sets)
    return [Target(spec, entries[spec.name].source, planned) for spec in sources]


def reader_of(file: Path) -> ReaderKind:
    """Tell by its name in which format a file of conversations is; a folder is one of Parquet files.

    Raises:
        InputError: the name has the end of none.
    """
    if file.is_dir():
        return "parquet"
    suffix = _suffix_of(str(file))
    if suffix is None:
        raise InputError(f"must be a file that ends on one of {', '.join(_FILES)}", place=str(file), key="--train")
    return _FILES[suffix]


def _suffix_of(name: str) -> str | None:
    return next((suffix for suffix in _FILES if name.lower().endswith(suffix)), None)


def in_all_uses(targets: Sequence[Target]) -> list[Target]:
    """Make one target of each source, which leaves out what every part of the study that uses it leaves out."""
    merged: dict[str, Target] = {}
    for target in targets:
        others = merged.setdefault(target.source.name, target).source.without
        without = tuple(kind for kind in target.source.without if kind in others)
        merged[target.source.name] = replace(target, source=target.source.model_copy(update={"without": without}))
    return list(merged.values())


def _file_source(file: Path, suffix: str, images: Path | None) -> SourceSpec:
    folder = (images or file.parent).absolute()
    name, reader = slug_of(file.name[: -len(suffix)]), _FILES[suffix]
    if images is not None and reader == "parquet":
        raise InputError("is for JSON files; Parquet holds its images", key="--images")
    return SourceSpec(name=name, version="1", reader=reader, path=str(file.absolute()), image_folder=str(folder))


def _spec(name: str, entry: SourceEntry) -> SourceSpec:
    return SourceSpec(name=name, **entry.model_dump(exclude={"source"}))
