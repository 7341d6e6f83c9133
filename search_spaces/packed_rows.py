"""Check rows that hold several records: their length, and whether a language model keeps their records apart."""

from __future__ import annotations

from search_spaces.errors import InputError
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import StageSpec, TrialSpec

FAMILIES_WITH_ROWS = frozenset({"gpt_neox", "llama", "mistral", "phi", "qwen2"})
"""Families of transformers whose records in one row do not attend to each other, as tests show: their models tell the
attention kernel and the mask at which positions a record begins. Others (OPT, BLOOM, MPT, convolutional and recurrent
ones) do not, and would train on rows of mixed records without an error."""


def check_rows(trial: TrialSpec, stage: StageSpec) -> None:
    """Check that a stage's rows keep records apart, and have room for every record of a trial. Raises InputError."""
    if stage.packing is None:
        return
    key = f"recipe.{stage.name}.packing.tokens"
    if trial.language.family not in FAMILIES_WITH_ROWS:
        raise InputError(f"packing {_law(trial)}", key=key, way_out="Leave out the packing.")
    longest = 1 + trial.vision.tokens + trial.language.max_length
    if stage.packing.tokens < longest:
        raise InputError(
            f"packing.tokens must be at least {longest:,}, the longest record (BOS, {trial.vision.tokens:,} visual"
            f" tokens, {trial.language.max_length:,} of text), but got {stage.packing.tokens:,}",
            key=key,
            way_out=f"Set {key} to {longest:,} or more, or leave out the packing.",
        )


def check_padding(trial: TrialSpec, resources: ResourceSpec) -> None:
    """Check that padding is dropped only where the records of a row stay apart. Raises InputError."""
    if resources.padding == "drop" and trial.language.family not in FAMILIES_WITH_ROWS:
        raise InputError(f"padding: drop {_law(trial)}", way_out="Set `padding: auto`.")


def _law(trial: TrialSpec) -> str:
    return (
        f"must stand at a language model of {', '.join(sorted(FAMILIES_WITH_ROWS))}, which keep the records of a row"
        f" apart, but {trial.language.name} is of {trial.language.family}"
    )
