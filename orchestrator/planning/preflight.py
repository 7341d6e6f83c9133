"""Read, check and digest data and weights before anything trains. What has not changed is not read again.

What reads data is loaded where that begins: every command recalls digests, and most read no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.planning.language_memory import remember_languages
from orchestrator.planning.weights_check import checking_weights
from search_spaces.errors import InputError, Problems
from search_spaces.identity import fingerprint, pictures_name, source_name, weights_name
from search_spaces.spec import BenchmarkSpec, SourceSpec, TrialSpec
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Counts, DigestCache, PreparedManifest, SourceDigest, WeightsDigest
from trainables.storage.store import Store


class Digests(NamedTuple):
    """Digests of data, of their pictures and of weights, and counts of data, by digest name."""

    digests: dict[str, str]
    counts: dict[str, dict[str, Any]]
    """Of sources: `records`, `text_only`, `images` and `tags`, as counted."""

    def over(self, others: Digests) -> Digests:
        """Lay these digests and counts over others, which hold where these have none."""
        return Digests({**others.digests, **self.digests}, {**others.counts, **self.counts})


def known_digests(store: Store) -> Digests:
    """Recall what earlier preflights on this storage found: enough for a plan to show keys. No data are read."""
    return _digests_of(_read_cache(store))


def current_digests(
    specs: Sequence[TrialSpec], asked: Sequence[BenchmarkSpec], store: Store, data_root: Path
) -> tuple[Digests, tuple[str, ...]]:
    """Recall the digests that still hold, as far as path, size and time of change of the files tell. Writes nothing.

    Args:
        specs: of the trials that are to run.
        asked: benchmarks and samples that they are to answer.
        store: storage with what earlier preflights found.
        data_root: folder in which relative paths of sources and weights start.

    Returns:
        The digests, and the names of the sources and weights that a run has to read first, or cannot find.
    """
    cache, entries, unread = _read_cache(store), dict[str, SourceDigest | WeightsDigest](), list[str]()
    for source in sources_of(specs, asked):
        name = source_name(source)
        with _unread_where_missing(unread, source.declared):
            entries |= {name: entry} if (entry := _current_source(source, cache.get(name), store, data_root)) else {}
            unread += [] if name in entries else [source.declared]
    for origin in checkpoints_of(specs):
        name = weights_name(origin)
        with _unread_where_missing(unread, origin):
            cached, signature = cache.get(name), _weights_signature(origin, data_root)
            if isinstance(cached, WeightsDigest) and cached.signature == signature:
                entries[name] = cached
            else:
                unread.append(origin)
    return _digests_of(entries), tuple(unread)


@contextmanager
def _unread_where_missing(unread: list[str], name: str) -> Iterator[None]:
    """Count what cannot be found as unread: the run that needs it says what is wrong."""
    try:
        yield
    except InputError:
        unread.append(name)


def preflight(
    specs: Sequence[TrialSpec],
    asked: Sequence[BenchmarkSpec],
    store: Store,
    data_root: Path,
    report: Callable[[str], None],
    meanwhile: Callable[[], None] = lambda: None,
) -> Digests:
    """Read and digest everything that trials need.

    Sources are prepared on storage, every image is opened; what has not changed since (path, size, time of change) is
    not read again. Weights are checked beside that, in a process that loads the libraries of models.

    Args:
        specs: of the trials that are to run.
        asked: benchmarks and samples that they are to answer.
        store: storage for prepared sources and for what was found.
        data_root: folder in which relative paths of sources and weights start.
        report: told what is being read, a line at a time.
        meanwhile: called where weights are still being checked when all else was read.

    Raises:
        InputError: everything that is missing, broken or cannot be read by this version, together.
    """
    from orchestrator.planning.question_checks import check_questions

    cache, problems = _read_cache(store), Problems()
    problems.extend(_protocol_problems(asked))
    entries: dict[str, SourceDigest | WeightsDigest] = {}
    of_weights = Problems()
    for origin in checkpoints_of(specs):
        name = weights_name(origin)
        with of_weights.collected():
            entries[name] = _weights_entry(origin, cache.get(name), data_root, report)
    with checking_weights(specs, entries, store, data_root, report) as weights_problems:
        for source in sources_of(specs, asked):
            name = source_name(source)
            with problems.collected():
                entries[name] = _source_entry(source, cache.get(name), store, data_root, report)
        if weights_problems is not None:
            meanwhile()
            with of_weights.collected():
                of_weights.extend(weights_problems())
    with problems.collected():
        of_weights.raise_all()
    problems.raise_all()
    if any(cache.get(name) != entry for name, entry in entries.items()):
        write(store, layout.DIGESTS, DigestCache({**_read_cache(store), **entries}))
    remember_languages(specs, store, data_root)
    known = _digests_of(entries)
    check_questions(specs, asked, known.digests, store, data_root, report)
    for entry in entries.values():
        if isinstance(entry, SourceDigest):
            store.touch(layout.data_result(entry.digest))  # what came first may have been hours ago
    return known


def _read_cache(store: Store) -> dict[str, SourceDigest | WeightsDigest]:
    """Read what earlier preflights have found; nothing if there was none, or if the file is damaged."""
    cache = read_or_redo(store, layout.DIGESTS, DigestCache)
    return {} if cache is None else cache.root


def _digests_of(entries: Mapping[str, SourceDigest | WeightsDigest]) -> Digests:
    counts = {name: asdict(entry.counts) for name, entry in entries.items() if isinstance(entry, SourceDigest)}
    pictures = {
        pictures_name(name): entry.pictures
        for name, entry in entries.items()
        if isinstance(entry, SourceDigest) and entry.pictures is not None
    }
    return Digests({name: entry.digest for name, entry in entries.items()} | pictures, counts)


def _protocol_problems(asked: Iterable[BenchmarkSpec]) -> Iterator[InputError]:
    """Find protocols that their benchmark does not have."""
    from trainables.benchmarks.registry import find_protocol, is_evaluation

    for benchmark in asked:
        if not is_evaluation(benchmark.source):
            continue
        try:
            find_protocol(benchmark)
        except InputError as error:
            yield InputError(error.law, key=f"benchmarks.{benchmark.id}", way_out=error.way_out)


def _source_entry(
    source: SourceSpec,
    cached: SourceDigest | WeightsDigest | None,
    store: Store,
    root: Path,
    report: Callable[[str], None],
) -> SourceDigest:
    from trainables.data.prepare import prepare_source, source_signature
    from trainables.data.treated import treated_lines

    current = _current_source(source, cached, store, root)
    if current is not None:
        store.touch(layout.data_result(current.digest))  # in use, though no plan on storage says so yet
        _check_declared(source, current.counts, store, report)
        return current
    report(f"reading {source.declared}")
    digest, counts = prepare_source(source, store, root, report)
    prepared = read_or_redo(store, layout.data_result(digest), PreparedManifest)
    assert prepared is not None, "a source was just prepared"
    for line in treated_lines(prepared.treated, source.pixels):
        report(f"{source.name}: {line}")
    _check_declared(source, counts, store, report)
    signature = fingerprint(source_signature(source, store, root, digest))
    return SourceDigest(signature=signature, digest=digest, counts=counts, pictures=prepared.pictures)


def _current_source(
    source: SourceSpec, cached: SourceDigest | WeightsDigest | None, store: Store, root: Path
) -> SourceDigest | None:
    """Return the cached digest of a source that is prepared and has not changed since; else None."""
    from trainables.data.prepare import is_prepared, source_signature

    if not isinstance(cached, SourceDigest) or not is_prepared(store, cached.digest):
        return None
    signature = fingerprint(source_signature(source, store, root, cached.digest))
    return cached if cached.signature == signature else None


def _check_declared(source: SourceSpec, counts: Counts, store: Store, report: Callable[[str], None]) -> None:
    """Check that the data have the numbers that were declared; approximate ones, and what is left out, are reported."""
    from trainables.data.problems import left_out_lines

    for line in left_out_lines(counts, store.place(layout.data_problems(source.name))):
        report(f"{source.name}: {line}")
    for difference in declared_differences(source, counts):
        if not source.approximate:
            raise InputError(
                f"the data must be what is declared, but {difference}",
                key=f"sources.{source.name}",
                way_out="Get the version of the data that the catalogue names, or declare a source of your own.",
            )
        report(f"{source.name}: {difference}; steps follow what is there")


def declared_differences(source: SourceSpec, counts: Counts) -> list[str]:
    """Say in words where the counts of the data, with what is left out, differ from the declared ones."""
    records, images = counts.records + sum(counts.left_out.values()), counts.images + counts.lost_images
    declared = [("records", source.records, records), ("images", source.images, images)]
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
    from trainables.model.weights import digest_weights, find_weights

    signature = _weights_signature(origin, data_root)
    if isinstance(cached, WeightsDigest) and cached.signature == signature:
        return cached
    report(f"digesting {origin}")
    return WeightsDigest(signature=signature, digest=digest_weights(find_weights(origin, data_root)))


def _weights_signature(origin: str, data_root: Path) -> str:
    from trainables.model.weights import find_weights, weight_files

    files = [(str(file), file.stat()) for file in weight_files(find_weights(origin, data_root))]
    return fingerprint([(name, stat.st_size, stat.st_mtime_ns) for name, stat in files])


def sources_of(specs: Iterable[TrialSpec], asked: Iterable[BenchmarkSpec]) -> list[SourceSpec]:
    """List every source of trials and of what they answer once: of mixes, vocabularies, benchmarks and samples."""
    sources = {source_name(benchmark.source): benchmark.source for benchmark in asked}
    for spec in specs:
        sources |= {source_name(source): source for source in spec.language.tokenizer.vocabulary}
        for stage in spec.stages:
            sources |= {source_name(part.source): part.source for part in stage.data.parts}
    return list(sources.values())


def checkpoints_of(specs: Iterable[TrialSpec]) -> list[str]:
    """List the origin of every checkpoint of trials once, sorted."""
    origins = {origin for spec in specs for origin in spec.vision.checkpoints}
    origins |= {spec.language.checkpoint for spec in specs if spec.language.checkpoint}
    return sorted(origins)
