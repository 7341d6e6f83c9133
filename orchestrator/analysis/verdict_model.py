"""The verdict on a hypothesis as plain data, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from orchestrator.analysis.aggregates import Aggregates
from orchestrator.analysis.blind_model import BlindBenchmark, BlindEffect
from orchestrator.analysis.intervals import SeedSource
from search_spaces.quantities import Device
from search_spaces.study import Expectation

Outcome = Literal["better", "worse", "equivalent", "not-worse", "undecided"]
Scope = Literal["recipe", "checkpoints"]
Unit = Literal["points", "percent"]
PriceLimit = Literal["images", "effect"]
"""What stands in the way of a decision by more seeds."""


@dataclass(frozen=True)
class Refusal:
    """Why arms are not compared."""

    reasons: tuple[str, ...]
    """Plain words, most important first."""


@dataclass(frozen=True)
class Component:
    """The effect in one part of a hypothesis: on one benchmark, or of one pair. For plots and tables; not judged."""

    name: str
    """Benchmark id, or `reference -> alternative`."""
    effect: float
    interval: tuple[float, float] | None
    """Unadjusted, at the verdict's level; None where one value has no spread of its own (a cell of a table)."""
    no_signal: tuple[str, ...] = ()
    """Arms of the hypothesis without a signal there."""


@dataclass(frozen=True)
class Price:
    """What would decide an open hypothesis, judged once: a range from even odds to odds of four in five.

    The odds are a mean over what is not known, the effect and its spread over seeds (`assurance`).
    """

    more_seeds: int | None
    """That decide in about four of five such studies: per arm, on top of those that are there; None: no
    number of seeds up to 100 does."""
    seeds_gpu_hours: float | None
    """Of these seeds, after what the arms' trials have cost so far; None where no cost is recorded."""
    more_examples: int | None
    """That decide in about four of five such studies: on the benchmarks together, of the same kind; None: no number of
    examples up to 100 times as many does, or there is one seed, which says nothing of the choice."""
    examples_gpu_hours: float | None
    """Of scoring the arms' trials on them."""
    assumed_seed_sd: float | None = None
    """In points, where the spread over seeds could not be seen."""
    even_seeds: int | None = None
    """More seeds that decide in one of two such studies."""
    even_seeds_gpu_hours: float | None = None
    """Of these seeds."""
    even_examples: int | None = None
    """More examples that decide in one of two such studies."""
    even_examples_gpu_hours: float | None = None
    """Of scoring the arms' trials on them."""
    expect: Expectation = "better"
    """Of the hypothesis."""
    margin: float | None = None
    """Of the hypothesis, in points."""
    most_seeds_assurance: float | None = None
    """Probability, 0 to 1, that 100 more seeds decide."""
    limit: PriceLimit | None = None
    """Where no number of seeds decides in four of five such studies, why: the choice of images, or an effect too close
    to 0 or to the margin."""
    device: Device = "GPU"
    """What the hours are of; cores or workers where no GPU was used."""


@dataclass(frozen=True)
class Sensitivity:
    """The same test on other benchmarks: how much of a verdict hangs on which are counted."""

    name: str
    """`refcoco counted once`, `without vsr`."""
    verdict: Outcome
    effect: float
    p: float
    n: int
    """Differences that enter the test."""


@dataclass(frozen=True)
class PublishedComparison:
    """Own result beside the published one, over the same pairs and benchmarks."""

    difference: float | None
    """Published, in the verdict's unit; None where it was not."""
    own: float | None
    agrees_in_sign: bool | None
    """None where either is 0 or the own effect is missing."""
    in_interval: bool | None
    """Whether the own interval holds the published difference."""
    agrees: bool | None
    """Both."""
    reason: str | None = None
    """Why there is nothing to compare, where there is not."""


@dataclass(frozen=True)
class LookTaken:
    """A look at the results of a hypothesis."""

    seeds: tuple[int, ...]
    """That all of its arms had."""
    verdict: str
    time: str | None
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class Verdict:
    """What the results say of one hypothesis. `effect` None: the contrast was refused, `reasons` say why."""

    id: str
    claim: str
    expect: Expectation
    verdict: Outcome
    holds: bool | None
    """Whether the claim's own test holds; False where the results contradict it; None where they leave it open."""
    scope: Scope
    """`recipe`: the choice was tested. `checkpoints`: only these trained weights were."""
    method: str
    """Name of the statistical method, a key of `methods.registry`."""
    pairs: tuple[tuple[str, str], ...]
    """Reference and alternative."""
    benchmarks: tuple[str, ...]
    effect: float | None
    """Alternative - reference, mean over pairs and then over benchmarks; with `paired-table` sets of one skill count
    once."""
    unit: Unit
    interval: tuple[float, float] | None
    level: float
    margin: float | None
    p: float | None
    """Of the test that `expect` names: two-sided for better and worse, the larger of two one-sided for equivalent,
    one-sided for not-worse."""
    p_adjusted: float | None
    """Holm over the hypotheses that were judged together."""
    n_seeds: int
    """Common seeds; 0 where seeds are not known (tables)."""
    n_examples: int
    """0 where examples are not known (tables)."""
    n_pairs: int
    n_cells: int
    """Differences of a benchmark and a pair that were averaged."""
    reasons: tuple[str, ...]
    """Plain words, most important first."""
    sentence: str
    """One plain sentence: what was found, how large, how surely."""
    seeds_from: SeedSource = "none"
    """Where the spread over seeds comes from."""
    beside: tuple[float, float] | None = None
    """The interval with the spread over seeds pooled over the study's arms; to be seen, it decides nothing."""
    by_seed: tuple[tuple[int, float], ...] = ()
    """Seed and effect with it alone."""
    n_images: int | None = None
    n_effective_images: float | None = None
    """Number of equally large images that would be worth as much."""
    p_exact: float | None = None
    """Of single checkpoints: exact McNemar, or sign flips of whole images or of a table's benchmarks; a difference must
    hold with it as well."""
    image_error: float | None = None
    """Standard error in points by the choice of images alone, as the interval has it; None: not above the noise that
    seeds add to images, which the seed part holds."""
    image_error_bootstrap: float | None = None
    """The same from 2,000 draws of images with replacement, for a check; it holds what seeds add to images as well.
    None where that was not drawn, as for items."""
    by_benchmark: tuple[Component, ...] = ()
    by_pair: tuple[Component, ...] = ()
    price: Price | None = None
    """Only where undecided."""
    blind: BlindEffect | None = None
    """What is left of the effect without images; None where the arms were not asked blind."""
    sensitivity: tuple[Sensitivity, ...] = ()
    published: PublishedComparison | None = None
    interval_fixed: tuple[float, float] | None = None
    """The interval that holds for a single look, where `interval` is that of the present one of several."""
    p_by_statement: Mapping[str, float] = field(default_factory=dict)
    """`differs`, `equivalent`, `not-worse` -> p of each test, after all looks and before Holm's correction."""
    looks: tuple[LookTaken, ...] = ()
    """At its results, oldest first, the present one last; empty where none are counted."""
    written: str | None = None
    """When storage first saw the hypothesis: ISO 8601, UTC."""
    confirmatory: bool | None = None
    """Whether it was written before any of its trials had scores; None where that is not known."""
    written_after: tuple[int, int] | None = None
    """Trials of its arms that had scores when it was written, and all of them."""


@dataclass(frozen=True)
class Verdicts:
    """All verdicts that were reached together, and how."""

    source: str
    """Name of the study, or of the table."""
    method: str
    level: float
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    """What holds for all of them: the correction, what an interval covers, what the method cannot say."""
    aggregates: Aggregates | None = None
    """Group means, z-scores against a frozen pool, and a study's main effects."""
    blind: tuple[BlindBenchmark, ...] = ()
    """Benchmarks that arms were also asked without their images."""
    opening: str = ""
    """What has to be known before any verdict: that no arm beats what needs no image."""


def verdicts_json(judged: Verdicts) -> dict[str, Any]:
    """Turn verdicts into the values that `verdicts --json` prints."""
    return {
        "source": judged.source,
        "opening": judged.opening,
        "method": judged.method,
        "level": judged.level,
        "verdicts": [plain_values(asdict(verdict)) for verdict in judged.verdicts],
        "notes": list(judged.notes),
        "blind": [plain_values(blind_json(benchmark)) for benchmark in judged.blind],
        "aggregates": plain_values(asdict(judged.aggregates)) if judged.aggregates is not None else None,
    }


def blind_json(benchmark: BlindBenchmark) -> dict[str, Any]:
    """Turn what arms answer on a benchmark without its images into plain values; shares are added."""
    arms = [{**asdict(score), "share": score.share} for score in benchmark.arms]
    return {"benchmark": benchmark.benchmark, "best": benchmark.best, "arms": arms}


def plain_values(value: Any) -> Any:
    """Turn a value into what JSON holds. Floats get 9 significant digits, so that equal results give equal bytes.

    A number that is not defined becomes null: JSON has no NaN and no infinities.
    """
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain_values(item) for key, item in value.items()}
    return [plain_values(item) for item in value] if isinstance(value, list | tuple) else value
