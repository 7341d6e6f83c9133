"""Before anything trains: data read and checked, weights found, digests known. Cached, so that it costs once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces.errors import InputError, raise_problems
from search_spaces.identity import fingerprint, source_name, weights_name
from search_spaces.plan import Plan
from search_spaces.spec import LanguageSpec, SourceSpec
from trainables.model.language_files import check_language
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Counts, DigestCache, SourceDigest, WeightsDigest
from trainables.storage.store import LocalStore, Store


class Digests(NamedTuple):
    """What is known of the content of data and weights, by their digest names."""

    digests: dict[str, str]
    counts: dict[str, dict[str, Any]]
    """Of sources: `records`, `text_only`, `images` and `tags`, as counted."""


def known_digests(store: Store) -> Digests:
    """What an earlier preflight on this storage found; enough for a plan to show keys. Nothing is read or checked."""
    return _digests_of(_read_cache(store))


def preflight(plan: Plan, store: LocalStore, data_root: Path, report: Callable[[str], None]) -> Digests:
    """Read and digest everything the plan's trials need.

    Sources are prepared on storage, every image is opened; what has not changed since (path, size, time of change) is
    not read again.

    Raises:
        InputError: everything that is missing, broken or cannot be read by this version, together.
    """
    cache, problems = _read_cache(store), _benchmark_problems(plan)
    found: dict[str, SourceDigest | WeightsDigest] = {}
    for source in plan_sources(plan):
        name = source_name(source)
        try:
            found[name] = _source_entry(source, cache.get(name), store, data_root, report)
        except InputError as error:
            problems.append(error)
    for origin in _origins(plan):
        name = weights_name(origin)
        try:
            found[name] = _weights_entry(origin, cache.get(name), data_root, report)
        except InputError as error:
            problems.append(error)
    for language, template, targets in _languages(plan):
        if weights_name(str(language.checkpoint)) in found:  # what is missing is reported already
            try:
                check_language(language, data_root, template=template, targets=targets)
            except InputError as error:
                problems.append(error)
    raise_problems(problems)
    if any(cache.get(name) != entry for name, entry in found.items()):
        write(store, layout.DIGESTS, DigestCache({**_read_cache(store), **found}))
    return _digests_of(found)


def _read_cache(store: Store) -> dict[str, SourceDigest | WeightsDigest]:
    """Read what earlier preflights have found; nothing if there was none, or if the file is damaged."""
    cache = read_or_redo(store, layout.DIGESTS, DigestCache)
    return {} if cache is None else cache.root


def _digests_of(entries: Mapping[str, SourceDigest | WeightsDigest]) -> Digests:
    counts = {name: asdict(entry.counts) for name, entry in entries.items() if isinstance(entry, SourceDigest)}
    return Digests({name: entry.digest for name, entry in entries.items()}, counts)


def _benchmark_problems(plan: Plan) -> list[InputError]:
    """Protocols that a benchmark does not have."""
    from trainables.benchmarks.registry import find_protocol, is_evaluation

    problems = []
    for benchmark in plan.asked:
        if not is_evaluation(benchmark.source):
            continue
        try:
            find_protocol(benchmark)
        except InputError as error:
            problems.append(InputError(error.law, key=f"benchmarks.{benchmark.id}", way_out=error.way_out))
    return problems


def _source_entry(
    source: SourceSpec,
    cached: SourceDigest | WeightsDigest | None,
    store: LocalStore,
    root: Path,
    report: Callable[[str], None],
) -> SourceDigest:
    from trainables.data.prepare import is_prepared, prepare_source, source_signature

    if (
        isinstance(cached, SourceDigest)
        and is_prepared(store, cached.digest)
        and cached.signature == fingerprint(source_signature(source, store, root, cached.digest))
    ):
        _check_declared(source, cached.counts, report)
        return cached
    report(f"reading {source.declared}")
    digest, counts = prepare_source(source, store, root, report)
    _check_declared(source, counts, report)
    signature = fingerprint(source_signature(source, store, root, digest))
    return SourceDigest(signature=signature, digest=digest, counts=counts)


def _check_declared(source: SourceSpec, counts: Counts, report: Callable[[str], None]) -> None:
    """The numbers that the plan counted with must be those of the data, unless they were declared as approximate."""
    for difference in declared_differences(source, counts):
        if not source.approximate:
            raise InputError(
                f"the data must be what is declared, but {difference}",
                key=f"sources.{source.name}",
                way_out="Get the version of the data that the catalogue names, or declare a source of your own.",
            )
        report(f"{source.name}: {difference}; steps follow what is there")


def declared_differences(source: SourceSpec, counts: Counts) -> list[str]:
    """Where the counts of the data are others than the declared ones, in words."""
    declared = [("records", source.records, counts.records), ("images", source.images, counts.images)]
    if source.records is not None:
        declared.append(("text_only", source.text_only_records, counts.text_only))
    about = "about " if source.approximate else ""
    return [
        f"has {counted:,} {name} where {about}{number:,} are declared"
        for name, number, counted in declared
        if number is not None and number != counted
    ]


def _weights_entry(
    origin: str, cached: SourceDigest | WeightsDigest | None, data_root: Path, report: Callable[[str], None]
) -> WeightsDigest:
    from trainables.model.weights import digest_weights, find_weights, weight_files

    path = find_weights(origin, data_root)
    stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in weight_files(path)]
    signature = fingerprint(stats)
    if isinstance(cached, WeightsDigest) and cached.signature == signature:
        return cached
    report(f"digesting {origin}")
    return WeightsDigest(signature=signature, digest=digest_weights(path))


def plan_sources(plan: Plan) -> Iterable[SourceSpec]:
    """Every source once: of mixes, vocabularies, benchmarks and samples."""
    sources = {source_name(b.source): b.source for b in plan.asked}
    for trial in plan.trials:
        vocabulary = trial.spec.language.tokenizer.source
        if vocabulary is not None:
            sources[source_name(vocabulary)] = vocabulary
        for stage in trial.spec.stages:
            sources |= {source_name(part.source): part.source for part in stage.data.parts}
    return sources.values()


def _languages(plan: Plan) -> Iterable[tuple[LanguageSpec, bool, frozenset[str]]]:
    """Every pretrained language model once, whether its chat template is asked for, and which layers get adapters."""
    asked: dict[str, tuple[LanguageSpec, bool, frozenset[str]]] = {}
    for spec in (trial.spec for trial in plan.trials):
        if spec.language.checkpoint is None:
            continue
        template = "template" in (spec.language.prompt, *(stage.prompt for stage in spec.stages))
        targets = frozenset(target for stage in spec.stages if stage.lora for target in stage.lora.targets)
        _, before, others = asked.get(spec.language.checkpoint, (None, False, frozenset()))
        asked[spec.language.checkpoint] = (spec.language, template or before, targets | others)
    return asked.values()


def _origins(plan: Plan) -> list[str]:
    origins = {origin for trial in plan.trials for origin in trial.spec.vision.checkpoints}
    origins |= {trial.spec.language.checkpoint for trial in plan.trials if trial.spec.language.checkpoint}
    return sorted(origins)
