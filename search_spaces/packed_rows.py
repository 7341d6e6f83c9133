"""Check the length of rows that hold several records."""

from __future__ import annotations

from search_spaces.errors import InputError
from search_spaces.spec import StageSpec, TrialSpec


def check_rows(trial: TrialSpec, stage: StageSpec) -> None:
    """Check that a stage's rows have room for every record of a trial. Raises InputError."""
    longest = 1 + trial.vision.tokens + trial.language.max_length
    if stage.packing is not None and stage.packing.tokens < longest:
        raise InputError(
            f"packing.tokens must be at least {longest:,}, the longest record (BOS, {trial.vision.tokens:,} visual"
            f" tokens, {trial.language.max_length:,} of text), but got {stage.packing.tokens:,}",
            key=f"recipe.{stage.name}.packing.tokens",
            way_out=f"Set recipe.{stage.name}.packing.tokens to {longest:,} or more, or leave out the packing.",
        )
