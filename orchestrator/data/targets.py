"""What a data command is about: the sources of a study, one source of the catalogue, or a file of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.planning.planned import PlanOptions, plan
from orchestrator.planning.preflight import known_digests, plan_sources
from orchestrator.settings import data_root
from search_spaces.catalogue.entries import SourceEntry
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError, nearest
from search_spaces.plan import Plan
from search_spaces.spec import SourceSpec
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore

_FILES = (".json", ".jsonl")


@dataclass(frozen=True)
class Target:
    source: SourceSpec
    published: str | None
    """Where it is from, as the catalogue says."""
    plan: Plan | None = None
    """Of the study that it was found in."""


def targets(
    what: str, images: Path | None, source: str | None, store: LocalStore, overrides: Sequence[str] | None
) -> list[Target]:
    """The sources that `what` stands for. Raises InputError if it is none of the three."""
    if what.endswith(_FILES):
        return [Target(_file_source(Path(what), images), None)]
    if images is not None:
        raise InputError("is for JSON files; a source of the catalogue or of a study names its own", key="--images")
    entry = shipped().sources.get(what)
    if entry is not None:
        return [Target(_spec(what, entry), entry.source)]
    study = load_study(what, overrides or ())
    entries = {**shipped().sources, **study.sources}
    if source is not None:
        if source not in entries:
            raise InputError(
                f"must be a source of the study or of the catalogue, but got {source!r}",
                key="--source",
                way_out=nearest(source, entries),
            )
        return [Target(_spec(source, entries[source]), entries[source].source)]
    options = PlanOptions(storage=store.root, data=data_root(None, store.root))
    planned = plan(study, options, known_digests(store))
    return [Target(one, entries[one.name].source, planned) for one in plan_sources(planned)]


def _file_source(file: Path, images: Path | None) -> SourceSpec:
    folder = (images or file.parent).absolute()
    return SourceSpec(name=file.stem, version="1", reader="llava", path=str(file.absolute()), image_folder=str(folder))


def _spec(name: str, entry: SourceEntry) -> SourceSpec:
    return SourceSpec(name=name, **entry.model_dump(exclude={"source"}))
