"""Look up the language model of an arm: a name of the catalogue, or any causal model by its origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from search_spaces.catalogue.entries import LanguageEntry
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, nearest
from search_spaces.expansion.patches import Leaf, Patch, field_problem
from search_spaces.sizes import EMBEDDING_MULTIPLE, LanguageShape
from search_spaces.spec import LanguageSpec, SourceSpec, StageSpec, TokenizerSpec
from search_spaces.study import LanguageChoice, Study
from search_spaces.yaml_source import KeyPath

PRISMATIC_FAMILIES = frozenset({"llama", "mistral", "phi"})
"""Families whose embeddings Prismatic VLMs resizes (prismatic/models/backbones/llm/*.py)."""

_MAX_LENGTH = 2048


class LanguageFacts(NamedTuple):
    """Facts from a checkpoint's own configuration, where it is at hand."""

    family: str
    width: int
    shape: LanguageShape | None = None
    """What its size follows from; None where its layers are not known here."""


FactsOf = Callable[[str], LanguageFacts | None]
"""Origin -> facts of the checkpoint on this machine; None if it is not there. Only the values enter a specification,
never where they were found. Raises InputError for a checkpoint that cannot be read."""


@dataclass(frozen=True)
class LanguageResolver:
    """Lookup of language models for one study."""

    study: Study
    catalogue: Catalogue
    source: Callable[[str, KeyPath], SourceSpec]
    facts: FactsOf

    def spec(self, leaves: Patch) -> LanguageSpec:
        """Look up the language model that the fields ``language.*`` ask for. Raises InputError."""
        choice = LanguageChoice.model_validate(
            {name.removeprefix("language."): leaf.value for name, leaf in leaves.items()}
        )
        if ":" in choice.model:
            return self._by_origin(leaves, choice)
        entry = self.catalogue.languages.get(choice.model)
        if entry is None:
            legal = list(self.catalogue.languages)
            raise self._wrong(
                leaves,
                "model",
                f"must be one of {', '.join(legal)}, hub:ORG/MODEL@REVISION or path:FOLDER, but got {choice.model!r}",
                nearest(choice.model, legal) or "Define it under `languages`.",
            )
        self._check(leaves, choice, LanguageFacts(entry.family, entry.width))
        return self._of_entry(leaves["language.model"], choice, entry)

    def check_template(self, language: LanguageSpec, stages: Sequence[StageSpec], patch: Patch) -> None:
        """Check that a chat template is asked for only where the tokenizer is that of a checkpoint.

        Args:
            language: the arm's language model.
            stages: the arm's stages; each may set a prompt style of its own.
            patch: the arm's complete configuration, which has the places.

        Raises:
            InputError: for a tokenizer without a template.
        """
        asks = ["language.prompt"] if language.prompt == "template" else []
        asks += [f"recipe.{stage.name}.prompt" for stage in stages if stage.prompt == "template"]
        if asks and language.tokenizer.kind != "checkpoint":
            raise self.study.problem(
                patch.get(asks[0], patch["language.model"]).path,
                f"{asks[0]} must not be template for {language.name}: its tokenizer has no chat template",
                "Name a style, chatml for example.",
            )

    def _of_entry(self, model: Leaf, choice: LanguageChoice, entry: LanguageEntry) -> LanguageSpec:
        vocabulary = entry.tokenizer.source
        multiple = _multiple(entry.family) if entry.checkpoint is not None else 1
        return LanguageSpec(
            name=choice.model,
            family=entry.family,
            checkpoint=entry.checkpoint,
            config=entry.config,
            tokenizer=TokenizerSpec(
                kind=entry.tokenizer.kind,
                source=None if vocabulary is None else self.source(vocabulary, model.path),
            ),
            prompt=choice.prompt or entry.prompt,
            width=entry.width,
            max_length=choice.max_length or entry.max_length,
            embedding_multiple=entry.embedding_multiple or multiple,
            weights_prefix=choice.weights_prefix or entry.weights_prefix,
        )

    def _by_origin(self, leaves: Patch, choice: LanguageChoice) -> LanguageSpec:
        kind, _, rest = choice.model.partition(":")
        if kind not in ("hub", "path") or not rest:
            raise self._wrong(
                leaves, "model", f"must start with hub: or path: and name something, but got {choice.model!r}"
            )
        if kind == "hub" and not rest.partition("@")[2]:
            raise self._wrong(
                leaves,
                "model",
                f"must name a revision, or it would not stay the same, but got {choice.model!r}",
                f"For example: {choice.model}@main",
            )
        facts = self._facts(leaves, choice)
        return LanguageSpec(
            name=choice.model,
            family=facts.family,
            checkpoint=choice.model,
            config={},
            tokenizer=TokenizerSpec(kind="checkpoint"),
            prompt=choice.prompt or "pure",
            width=facts.width,
            max_length=choice.max_length or _MAX_LENGTH,
            embedding_multiple=_multiple(facts.family),
            weights_prefix=choice.weights_prefix,
        )

    def _facts(self, leaves: Patch, choice: LanguageChoice) -> LanguageFacts:
        """Take facts from the study (preflight compares them with the checkpoint), or from the checkpoint itself."""
        if choice.family is not None and choice.width is not None:
            return LanguageFacts(choice.family, choice.width)
        try:
            facts = self.facts(choice.model)
        except InputError as error:
            raise self._wrong(leaves, "model", str(error)) from error
        if facts is not None:
            self._check(leaves, choice, facts)
            return facts
        raise self._wrong(
            leaves,
            "model",
            f"needs `family` and `width` beside it: {choice.model!r} is neither in the catalogue nor on this machine,"
            " where its config.json would say",
            "Write language: {model: ..., family: ..., width: ...} (model_type and hidden_size of its config.json), or"
            " put a copy of it below the data folder.",
        )

    def _check(self, leaves: Patch, choice: LanguageChoice, facts: LanguageFacts) -> None:
        """Raise InputError unless what the study says of a model is what is known of it."""
        for name, own in (("family", facts.family), ("width", facts.width)):
            claimed = getattr(choice, name)
            if claimed not in (None, own):
                raise self._wrong(leaves, name, f"must be {own}, as {choice.model} has it, but got {claimed}")

    def _wrong(self, leaves: Patch, name: str, law: str, way_out: str | None = None) -> InputError:
        return field_problem(self.study, leaves, f"language.{name}", law, way_out)


def _multiple(family: str) -> int:
    return EMBEDDING_MULTIPLE if family in PRISMATIC_FAMILIES else 1
