"""Identity: equal keys are one piece of work, and nothing that does not change the result may change a key.

Keys are SHA-256 over canonical JSON. A value without a canonical form raises, because a permissive ``str(value)`` would
silently give one experiment two names.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from search_spaces.seeds import seed_fields
from search_spaces.spec import (
    BenchmarkSpec,
    LanguageSpec,
    MixSpec,
    Precision,
    SourceSpec,
    StageSpec,
    TrialSpec,
    VisionSpec,
)

T = TypeVar("T")

TRAINER_VERSION = 1
"""Raised by hand when a change of the program changes trained numbers."""

FEATURES_VERSION = 2
"""Raised by hand when a change of the program changes the features of a frozen encoder, or their order.
2: keyed by the pictures alone, and in the order of their digests."""

PIXELS_VERSION = 1
"""Raised by hand when a change of the program changes the pixels of images that need more than a conversion to RGB:
digests of sources with such images hold it, those of others do not."""

SCORING_VERSION = 1
"""Raised by hand when a change of the program changes the score of an unchanged model."""

BATCHES_VERSION = 2
"""Raised by hand when a change of the program changes which questions a large model answers together, and so
the rounding of its scores.
2: keys and values of a batch are bounded in bytes."""

NARROW = 1024
"""Widest embeddings of models that are not large: with up to 32 layers they keep the batches of every version."""

WINDOWS_VERSION = 2
"""Raised by hand when a change of the program changes the scores of models with windows of attention alone.
2: windows that are shorter than a question count no padding."""

WITHOUT_SHORT_WINDOWS = frozenset({"bloom", "gpt2", "gpt_neox", "llama", "mistral", "opt", "phi", "qwen2"})
"""Families whose windows, if they have any, are longer than questions, unless a study's own configuration says less."""

RESIZE_VERSIONS = {"letterbox": 2, "crop": 2}
"""Raised by hand when a change of the program changes the pixels of one strategy only; 1 for those that are not named.
2: rounding as in torchvision, where the longer side is no whole number or the sides differ by an odd one."""

PRECISION_VERSIONS: dict[Precision, int] = {"fp32": 1, "bf16": 2}
"""Raised by hand when a change of the program changes numbers that are trained in one precision only.
2: gradients of several micro-batches are summed in fp32, and ZeRO 0 steps as ZeRO 2."""


def canonical_json(value: Any) -> str:
    """Write a plain value as its one JSON text: sorted keys, no blanks, shortest round-trip floats.

    Integral floats and integers are one number (``1.0`` is ``1``). Raises TypeError for anything that has no canonical
    form: NaN, infinities, sets, callables, keys that are not strings.
    """
    return json.dumps(_canonical(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where}: {value!r} has no canonical form: numbers must be finite")
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [_canonical(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} has no canonical form: keys must be strings")
        return {key: _canonical(item, f"{where}.{key}") for key, item in value.items()}
    raise TypeError(f"{where}: a {type(value).__name__} has no canonical form and so no stable identity")


def fingerprint(value: Any) -> str:
    """Compute the SHA-256 of a value's canonical JSON, as 64 hex digits."""
    return text_digest(canonical_json(value))


def text_digest(text: str) -> str:
    """Compute the SHA-256 of a canonical text, as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


class Memo:
    """Cache of what is derived from specs, which makes the keys of many trials that share specs cheap.

    It goes by object, not by equality, and keeps the objects alive; specs are frozen, so what is derived stays true.
    """

    def __init__(self) -> None:
        self._derived: dict[object, tuple[object, Any]] = {}

    def of(self, kind: str, specs: tuple[object, ...], make: Callable[[], T], extra: object = None) -> T:
        """Return the value of `make()`, which must be a function of `kind`, `specs` and the hashable `extra` alone."""
        key = (kind, extra, *map(id, specs))
        known = self._derived.get(key)
        if known is None:
            known = self._derived[key] = (specs, make())
        value: T = known[1]
        return value


def canonical_object(**texts: str) -> str:
    """Write the canonical JSON of an object whose values are canonical JSON already."""
    return "{" + ",".join(f'"{key}":{texts[key]}' for key in sorted(texts)) + "}"


def _dump(spec: Any) -> dict[str, Any]:
    """Dump the fields of a spec that differ from their default: an option added later keeps old keys."""
    return spec.model_dump(mode="json", exclude_defaults=True)  # type: ignore[no-any-return]


def _mix(mix: MixSpec) -> dict[str, Any]:
    parts = [{**_dump(part), "source": part.source.declared, "options": part.source.options} for part in mix.parts]
    return {"parts": parts, "draw_seed": mix.draw_seed, "resample": mix.resample}


def _stage(stage: StageSpec, horizon: int | None) -> dict[str, Any]:
    dumped = {**_dump(stage), "data": _mix(stage.data)}
    if horizon is not None:  # 1 epoch and the equal number of steps are one experiment
        dumped = {key: value for key, value in dumped.items() if key not in ("epochs", "max_steps")}
        dumped["steps"] = horizon
    return dumped


def _stages_text(trial: TrialSpec, steps: tuple[int | None, ...], memo: Memo) -> str:
    """Write the first stages of a trial, as many as there are `steps`."""

    def stage_text(stage: StageSpec, horizon: int | None) -> str:
        return memo.of("stage", (stage,), lambda: canonical_json(_stage(stage, horizon)), horizon)

    return f"[{','.join(map(stage_text, trial.stages, steps))}]"


def _modules_text(trial: TrialSpec, memo: Memo) -> str:
    """Write the module specs, without the names of catalogue entries, which are labels."""
    vision, projector, language = trial.vision, trial.projector, trial.language

    def make() -> str:
        return canonical_object(
            vision=memo.of("vision", (vision,), lambda: canonical_json(vision_identity(vision))),
            projector=canonical_json(_dump(projector)),
            language=memo.of("language", (language,), lambda: canonical_json(_language(language))),
        )

    return memo.of("modules", (vision, projector, language), make)


def resize_version(vision: VisionSpec) -> dict[str, int]:
    """Return the version of an encoder's resizing, for the keys of everything that depends on pixels."""
    version = RESIZE_VERSIONS.get(vision.resize, 1)
    return {} if version == 1 else {"resize_version": version}


def batches_version(language: LanguageSpec) -> dict[str, int]:
    """Return the versions of a model's batches of questions, for the keys of scores; empty where they are the first."""
    has_windows = language.family not in WITHOUT_SHORT_WINDOWS or language.config.get("sliding_window") is not None
    return {
        **({} if language.width <= NARROW else {"batches_version": BATCHES_VERSION}),
        **({"windows_version": WINDOWS_VERSION} if has_windows else {}),
    }


def _precision_version(stages: Sequence[StageSpec]) -> dict[str, int]:
    """Return the version of the arithmetic of stages; empty where it is the first."""
    version = max(PRECISION_VERSIONS[stage.precision] for stage in stages)
    return {} if version == 1 else {"precision_version": version}


def vision_identity(vision: VisionSpec) -> dict[str, Any]:
    """Describe an encoder without the labels of its catalogue entries."""
    dumped = _without(_dump(vision), "backbone")
    return {**dumped, "parts": [vision_identity(part) for part in vision.parts]} if vision.parts else dumped


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}


def _language(language: LanguageSpec) -> dict[str, Any]:
    dumped = _without(_dump(language), "name")
    tokenizer = language.tokenizer
    if tokenizer.source:
        dumped["tokenizer"] = {**dumped["tokenizer"], "source": source_name(tokenizer.source)}
    elif tokenizer.sources:
        dumped["tokenizer"] = {**dumped["tokenizer"], "sources": [source_name(source) for source in tokenizer.sources]}
    return dumped


def arm_fingerprint(trial: TrialSpec, memo: Memo | None = None) -> str:
    """Compute the identity of an arm by declared names: that of its trials without their seeds. 64 hex digits."""
    memo = memo or Memo()
    declared = (None,) * len(trial.stages)
    return text_digest(canonical_object(modules=_modules_text(trial, memo), stages=_stages_text(trial, declared, memo)))


def trial_fingerprint(trial: TrialSpec, memo: Memo | None = None) -> str:
    """Compute the identity of a trial by declared names: known without data, never changes. 64 hex digits."""
    memo = memo or Memo()
    declared = (None,) * len(trial.stages)
    modules, stages = _modules_text(trial, memo), _stages_text(trial, declared, memo)
    return text_digest(canonical_object(modules=modules, stages=stages, **seed_fields(trial, len(trial.stages))))


def trial_id(trial: TrialSpec, arm: str, memo: Memo | None = None) -> str:
    """Build the id of a trial: a slug for people, and 12 hex digits that identify, ``resolution-32px-s7-0f3a...``."""
    slug = re.sub(r"[^a-z0-9]+", "-", arm.lower()).strip("-")[:48].rstrip("-")
    return f"{slug}-s{trial.seed}-{trial_fingerprint(trial, memo)[:12]}"


def weights_name(origin: str) -> str:
    """Return the name under which the digest of pretrained weights is kept."""
    return f"weights:{origin}"


def source_name(source: SourceSpec) -> str:
    """Return the name under which the digest of a data source is kept."""
    options = f"?{canonical_json(source.options)}" if source.options else ""
    without = f" without {' and '.join(source.without)}" if source.without else ""
    return f"source:{source.declared}{options}{without}"


def pictures_name(source: str) -> str:
    """Return the name under which the digest of a source's pictures is kept, from the source's own (`source_name`)."""
    return f"pictures:{source.removeprefix('source:')}"


def needed_digests(trial: TrialSpec, stage_index: int, memo: Memo | None = None) -> tuple[str, ...]:
    """List the names of all digests that the key of a stage needs, sorted."""
    vision, language = trial.vision, trial.language
    mixes = tuple(stage.data for stage in trial.stages[: stage_index + 1])

    def make() -> tuple[str, ...]:
        pixels = map(weights_name, vision.checkpoints)
        return tuple(sorted({*pixels, *_language_names(language), *_data_names(mixes)}))

    return (memo or Memo()).of("needed digests", (vision, language, *mixes), make)


def _data_names(mixes: tuple[MixSpec, ...]) -> Iterator[str]:
    return (source_name(part.source) for mix in mixes for part in mix.parts)


def _language_names(language: LanguageSpec) -> Iterator[str]:
    yield from map(source_name, language.tokenizer.vocabulary)
    if language.checkpoint:
        yield weights_name(language.checkpoint)


def declared_stage_key(
    trial: TrialSpec, stage_index: int, steps: tuple[int | None, ...], memo: Memo | None = None
) -> str:
    """Compute the identity of a stage by declared names, 64 hex digits: equal stages are one node of the plan.

    `steps` are the steps of the trial's stages (None where the data are not known yet).
    """
    return text_digest(_stage_text(trial, stage_index, steps, memo or Memo()))


def stage_key(
    trial: TrialSpec,
    stage_index: int,
    steps: tuple[int | None, ...],
    digests: Mapping[str, str],
    memo: Memo | None = None,
) -> str | None:
    """Compute the key of a stage from the digests of its data and starting weights; None while one is unknown."""
    memo = memo or Memo()
    names = needed_digests(trial, stage_index, memo)
    if any(name not in digests for name in names) or steps[stage_index] is None:
        return None
    declared = _stage_text(trial, stage_index, steps, memo)
    contents = memo.of("contents", (names, digests), lambda: canonical_json({name: digests[name] for name in names}))
    return text_digest(canonical_object(declared=declared, digests=contents))


def _stage_text(trial: TrialSpec, stage_index: int, steps: tuple[int | None, ...], memo: Memo) -> str:
    return canonical_object(
        **{name: str(version) for name, version in resize_version(trial.vision).items()},
        **{name: str(version) for name, version in _precision_version(trial.stages[: stage_index + 1]).items()},
        trainer_version=str(TRAINER_VERSION),
        modules=_modules_text(trial, memo),
        stages=_stages_text(trial, steps[: stage_index + 1], memo),
        **seed_fields(trial, stage_index + 1),
    )


def _features_identity(vision: VisionSpec, seed: int) -> dict[str, Any]:
    """Describe what determines the cached features of a frozen encoder, but for the pictures.

    Pooling comes after the cache, so `tokens` is no part of it; a seed only matters to random weights.
    """
    return {
        **resize_version(vision),
        "features_version": FEATURES_VERSION,
        "vision": _without(vision_identity(vision), "tokens"),
        "seed": seed if vision.weights == "random" else None,
    }


def features_node(vision: VisionSpec, source: SourceSpec, seed: int) -> str:
    """Return the id of the plan's node for the cached features of one source's images, by declared names."""
    declared = {**_features_identity(vision, seed), "source": source_name(source)}
    return f"features-{fingerprint(declared)[:12]}"


def features_digests(vision: VisionSpec, source: SourceSpec) -> tuple[str, ...]:
    """List the names of all digests that the key of a source's features needs."""
    return (pictures_name(source_name(source)), *map(weights_name, vision.checkpoints))


def features_key(vision: VisionSpec, source: SourceSpec, seed: int, digests: Mapping[str, str]) -> str | None:
    """Compute the key of the cached features of one source's images; None while a digest is unknown.

    Sources with the same pictures have one key, whatever they are called and whatever is asked about them.
    """
    names = features_digests(vision, source)
    if any(name not in digests for name in names):
        return None
    pictures, *weights = names
    return fingerprint(
        {
            "declared": _features_identity(vision, seed),
            "pictures": digests[pictures],
            "digests": {name: digests[name] for name in sorted(weights)},
        }
    )


def benchmark_key(benchmark: BenchmarkSpec, digests: Mapping[str, str]) -> str | None:
    """Compute the key of a benchmark's data, selection and protocol; None while its data are unknown."""
    name = source_name(benchmark.source)
    if name not in digests:
        return None
    return fingerprint({"scoring_version": SCORING_VERSION, "benchmark": benchmark.asked, "data": digests[name]})
