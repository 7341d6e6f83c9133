"""Say which sources of chance the replicates of a study vary, and so what an interval over seeds covers.

Verdicts, `ablate plan` and docs/study-file.md say the same sentence. Answers are greedy or chosen by likelihood, and
sets are scored whole or on a fixed sample: beside the choice of images nothing but training is left to chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.analysis.number_text import listed
from search_spaces.plan import Plan
from search_spaces.seeds import SeedSource
from search_spaces.spec import StageSpec

SOURCE_NAMES: dict[SeedSource, str] = {
    "init": "the initialisation",
    "order": "the order of the data (with dropout)",
    "data": "the records that mixes draw",
}
"""In the order in which they are said."""
OTHER_DRAWS: dict[SeedSource, str] = {
    "init": "initialisations",
    "order": "orders of the data",
    "data": "draws of records",
}
EVALUATION = "decoding is greedy and evaluation is deterministic"


def what_varies(plan: Plan) -> str:
    """Write which sources of chance vary over the replicates of a plan's arms, and which stay as they are."""
    stages = [stage for trial in plan.trials for stage in trial.spec.stages]
    drawn = [source for source in SOURCE_NAMES if source != "data" or _resamples(stages)]
    seeds = {source: sorted({getattr(trial.spec.draws, source) for trial in plan.trials}) for source in drawn}
    varied = [source for source in drawn if len(seeds[source]) > 1]
    fixed = [source for source in drawn if source not in varied]
    if not varied:
        return f"One seed: {listed(SOURCE_NAMES[source] for source in fixed)} did not vary; {EVALUATION}"
    is_split = any(trial.spec.split for trial in plan.trials)
    together = " alone" if fixed else "" if is_split else " together"
    parts = [f"Seeds vary {listed(SOURCE_NAMES[source] for source in varied)}{together}"]
    if fixed:
        held = listed(f"{SOURCE_NAMES[source]} is fixed at {seeds[source][0]}" for source in fixed)
        parts.append(f"{held}: an interval says nothing about other {listed(OTHER_DRAWS[source] for source in fixed)}")
    if _draws_once(stages):
        parts.append(f"{SOURCE_NAMES['data']} are the same for all seeds")
    return "; ".join([*parts, EVALUATION])


def _resamples(stages: Iterable[StageSpec]) -> bool:
    return any(stage.data.resample == "per-seed" for stage in stages)


def _draws_once(stages: Sequence[StageSpec]) -> bool:
    """Tell whether a mix takes a part of a source, and the same for every seed."""
    mixes = [stage.data for stage in stages if stage.data.resample == "never"]
    return any(part.fraction is not None or part.count is not None for mix in mixes for part in mix.parts)
