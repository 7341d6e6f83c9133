"""Facts of language models that are given by their origin: read from the checkpoint, or recalled from storage.

A run knows family and width from a folder on its own machine. Commands that only read a study must not need that folder
again, and another machine does not have it: so preflight keeps the facts on storage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, RootModel

from search_spaces.errors import InputError
from search_spaces.expansion.resolve_language import LanguageFacts
from search_spaces.spec import TrialSpec
from trainables.model.language_files import language_facts
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.store import Store


class KnownLanguages(RootModel[dict[str, LanguageFacts]]):
    """`languages.json`: facts by origin."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class StoredLanguageFacts:
    """A `search_spaces.expansion.resolve_language.FactsOf` over one storage and one data folder."""

    store: Store
    data_root: Path

    def __call__(self, origin: str) -> LanguageFacts | None:
        """Read the facts of a checkpoint, or recall them where it is not there or cannot be read.

        Raises InputError for a checkpoint that cannot be read and that no run has known.
        """
        try:
            facts = language_facts(origin, self.data_root)
        except InputError:
            recalled = _known(self.store).get(origin)
            if recalled is None:
                raise
            return recalled  # preflight, which is what needs the checkpoint, refuses it
        return facts or _known(self.store).get(origin)


def remember_languages(specs: Iterable[TrialSpec], store: Store, data_root: Path) -> None:
    """Keep the facts of all checkpoints of language models that these trials start from."""
    known = _known(store)
    origins = {spec.language.checkpoint for spec in specs if spec.language.checkpoint is not None}
    facts = {origin: language_facts(origin, data_root) for origin in sorted(origins)}
    new = {**known, **{origin: of for origin, of in facts.items() if of is not None}}
    if new != known:
        write(store, layout.LANGUAGES, KnownLanguages(new))


def _known(store: Store) -> dict[str, LanguageFacts]:
    known = read_or_redo(store, layout.LANGUAGES, KnownLanguages)
    return {} if known is None else known.root
