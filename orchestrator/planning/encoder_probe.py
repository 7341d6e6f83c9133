"""Facts of encoders that are in no catalogue: timm is asked once, in a process of its own; storage remembers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from pydantic import ConfigDict, RootModel, TypeAdapter

from orchestrator.planning.model_process import ask
from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.expansion.resolve_vision import NoEncoder
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.store import Store

_PROGRAM = "trainables.model.probe_encoder"


class KnownEncoders(RootModel[dict[str, EncoderEntry]]):
    """`encoders.json`: facts by name and version of timm."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class _Fit:
    """The program's answer to a name that can be an encoder."""

    entry: EncoderEntry


@dataclass(frozen=True)
class _Unfit:
    """The program's answer to any other name: why not, and what could have been meant."""

    law: str
    near: tuple[str, ...]


_ANSWER: TypeAdapter[_Fit | _Unfit] = TypeAdapter(_Fit | _Unfit)


class StoredProbe:
    """A `search_spaces.expansion.resolve_vision.EncoderProbe` over one storage.

    Args:
        store: the storage.
        remembers: whether what had to be found out is kept there.
    """

    def __init__(self, store: Store, *, remembers: bool = True):
        self._store, self._remembers = store, remembers
        self._asked: dict[str, EncoderEntry | NoEncoder] = {}

    def __call__(self, name: str) -> EncoderEntry | NoEncoder:
        if name not in self._asked:
            self._asked[name] = self._remembered(name) or self._ask(name)
        return self._asked[name]

    def _remembered(self, name: str) -> EncoderEntry | None:
        return self._known().get(_remembered_name(name))

    def _known(self) -> dict[str, EncoderEntry]:
        known = read_or_redo(self._store, layout.ENCODERS, KnownEncoders)
        return {} if known is None else known.root

    def _ask(self, name: str) -> EncoderEntry | NoEncoder:
        answer = _run(name)
        if isinstance(answer, _Unfit):
            return NoEncoder(answer.law, answer.near)
        if self._remembers and self._store.exists(""):  # a plan makes no storage
            write(self._store, layout.ENCODERS, KnownEncoders({**self._known(), _remembered_name(name): answer.entry}))
        return answer.entry


def _remembered_name(name: str) -> str:
    """Name an encoder with the version of timm, as the next version may describe it otherwise."""
    return f"{name}@timm-{metadata.version('timm')}"


def _run(name: str) -> _Fit | _Unfit:
    return _ANSWER.validate_json(ask(_PROGRAM, name, about=f"timm must be able to describe {name!r}"))
