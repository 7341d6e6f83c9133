"""List and show everything that a study can name: one table of kinds, one line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel

from orchestrator.state.documents import stored_studies, study_documents
from search_spaces.catalogue.entries import BenchmarkEntry, EncoderEntry, FusedEntry, LanguageEntry
from search_spaces.catalogue.load import Catalogue, shipped
from search_spaces.errors import InputError, nearest
from search_spaces.families import Family
from search_spaces.quantities import gigabytes, number_of
from search_spaces.study_files import load_study, shipped_studies
from trainables.benchmarks.sets.families import FAMILIES
from trainables.storage.store import Store

Kind = Literal[
    "studies",
    "backbones",
    "languages",
    "mixes",
    "sources",
    "recipes",
    "suites",
    "benchmarks",
    "families",
    "presets",
    "gpus",
]
"""Kinds of things that have names."""


@dataclass(frozen=True)
class NamedKind:
    """A kind of things that a study, or the command line, calls by their names."""

    about: str
    """Where the name is written."""
    names: Callable[[Store], Mapping[str, str]]
    """Name -> what it is, in a few words."""
    details: Callable[[str, Store], Any]
    """Name -> everything that is known of it, as plain values."""


def names_of(kind: Kind, store: Store) -> Mapping[str, str]:
    """List the names of a kind, each with a few words about it. Of studies, those of a storage are there too."""
    return KINDS[kind].names(store)


def details_of(kind: Kind, name: str, store: Store) -> Any:
    """Return everything that is known of a name, as plain values.

    Raises:
        InputError: the kind has no such name.
    """
    known = KINDS[kind].names(store)
    if name not in known:
        law = f"must be one of the {kind}, but got {name!r}"
        raise InputError(law, key="NAME", way_out=nearest(name, known) or f"`ablate ls {kind}` has all.")
    return KINDS[kind].details(name, store)


def _plain(value: Any) -> Any:
    """Turn an entry of the catalogue into plain values, without what is at its default."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _of_catalogue(
    about: str, entries: Callable[[Catalogue], Mapping[str, Any]], words: Callable[[Any], str]
) -> NamedKind:
    """Make the kind of a part of the catalogue.

    Args:
        about: where the name is written.
        entries: selects the part.
        words: says in a few words what an entry is.
    """
    return NamedKind(
        about,
        lambda _: {name: words(entry) for name, entry in entries(shipped()).items()},
        lambda name, _: _plain(entries(shipped())[name]),
    )


def _backbone(entry: EncoderEntry | FusedEntry) -> str:
    if isinstance(entry, EncoderEntry):
        return f"{entry.arch}, {entry.resolution} px"
    return f"{' and '.join(entry.parts)}, side by side"


def _language(entry: LanguageEntry) -> str:
    return entry.checkpoint or f"{entry.family}, made of a configuration"


def _benchmark(entry: BenchmarkEntry) -> str:
    return f"source {entry.source}" + (f", {entry.select}" if entry.select else "")


def _studies(store: Store) -> Mapping[str, str]:
    own = [name for name in stored_studies(store) if name not in shipped_studies()]
    return {
        **{name: load_study(name).question for name in shipped_studies()},
        **dict.fromkeys(own, f"on {store.place('')}".rstrip("/")),
    }


def _study(name: str, store: Store) -> Any:
    if name in shipped_studies():
        return load_study(name).document.value
    import yaml

    text = study_documents(store, name).get("study.yaml")
    return yaml.safe_load(text) if text is not None else {"study": name}


def _family(name: str, store: Store) -> Any:
    family = FAMILIES[_known_family(name)]
    protocols = {key: protocol.about for key, protocol in family.protocols.items()}
    return {"title": family.title, "protocols": protocols}


def _known_family(name: str) -> Family:
    for family in get_args(Family):
        if family == name:
            known: Family = family
            return known
    raise KeyError(name)


def _source(entry: Any) -> str:
    records = "" if entry.records is None else f", {number_of(entry.records, 'record')}"
    return f"{entry.reader}{records}"


KINDS: Mapping[Kind, NamedKind] = {
    "studies": NamedKind("STUDY of every command", _studies, _study),
    "backbones": _of_catalogue(
        "base.vision.backbone; any timm model will do, too",
        lambda catalogue: catalogue.encoders,
        _backbone,
    ),
    "languages": _of_catalogue(
        "base.language; hub:ORG/MODEL@REV and path:FOLDER will do, too",
        lambda catalogue: catalogue.languages,
        _language,
    ),
    "mixes": _of_catalogue(
        "base.data, and `data` of a recipe's stage",
        lambda catalogue: catalogue.mixes,
        lambda entry: " + ".join(part.source for part in entry.parts),
    ),
    "sources": _of_catalogue(
        "parts of a mix, and benchmarks",
        lambda catalogue: catalogue.sources,
        _source,
    ),
    "recipes": _of_catalogue(
        "recipe",
        lambda catalogue: catalogue.recipes,
        lambda entry: f"stages {', '.join(entry.stages)}",
    ),
    "suites": _of_catalogue(
        "benchmarks, samples, and `on` of a hypothesis",
        lambda catalogue: catalogue.suites,
        lambda entry: " ".join(choice.id for choice in entry),
    ),
    "benchmarks": _of_catalogue(
        "benchmarks; `ablate benchmarks show NAME` has files and prompts",
        lambda catalogue: catalogue.benchmarks,
        _benchmark,
    ),
    "families": NamedKind(
        "`options: {benchmark: NAME}` of a source of your own questions",
        lambda _: {name: family.title for name, family in FAMILIES.items()},
        _family,
    ),
    "presets": _of_catalogue(
        "resources",
        lambda catalogue: catalogue.resources,
        lambda entry: number_of(entry.workers, "worker"),
    ),
    "gpus": _of_catalogue(
        "--gpu",
        lambda catalogue: catalogue.gpus,
        lambda entry: f"{gigabytes(entry.memory_bytes)} GB",
    ),
}


def kinds_with_counts(store: Store) -> Iterable[tuple[Kind, int, str]]:
    """List every kind with the number of its names, and where such a name is written."""
    return ((kind, len(entry.names(store)), entry.about) for kind, entry in KINDS.items())
