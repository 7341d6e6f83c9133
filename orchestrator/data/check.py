"""Check a source: every record and image is there and whole, and counts are those that were declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from orchestrator.data.targets import Target
from orchestrator.planning.preflight import declared_differences, known_digests
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.one_line import one_line
from search_spaces.quantities import number_of
from search_spaces.spec import BenchmarkSpec
from trainables.data.pace import Progress
from trainables.data.problems import SHOWN_PROBLEMS, left_out_lines, list_problems, looked_in
from trainables.data.readers import Reader, open_reader
from trainables.data.survey import survey
from trainables.data.treated import treated_lines
from trainables.evaluation.chosen_rows import absent_ids
from trainables.storage.records import Counts
from trainables.storage.store import Store


@dataclass(frozen=True)
class Checked:
    """Result of checking one source."""

    source: str
    is_fine: bool
    published: str | None
    counts: Counts | None = None
    """None where its records could not be read."""
    digest: str | None = None
    """None where something of it is missing."""
    error: str | None = None
    problems: int = 0
    """Records that cannot be read, and images that are missing or broken."""
    kinds: dict[str, int] = field(default_factory=dict)
    """The same by kind."""
    first_problems: tuple[str, ...] = ()
    """The first 20 of either sort."""
    looked_in: str | None = None
    """Where images were looked for, and what changes it, if some are missing or broken."""
    problems_file: str | None = None
    notes: tuple[str, ...] = ()
    treated: dict[str, int] = field(default_factory=dict)
    """Images by what is done to them when they are decoded."""
    images: tuple[str, ...] = ()
    """The same in words."""


def check_source(target: Target, store: Store, root: Path, threads: int, progress: Progress) -> Checked:
    """Read a whole source, however often it was read before, and compare it with its declaration and its prepared copy.

    Args:
        target: the source, and where it is published.
        store: storage with the digests of what was prepared; the list of broken images is written there.
        root: folder in which relative paths of sources start.
        threads: how many read and decode images.
        progress: told how far each phase is.
    """
    source, published = target.source, target.published
    try:
        reader = open_reader(source, root)
        tally = survey(source, reader, threads, progress)
    except InputError as error:
        return Checked(source.declared, False, published, error=str(error))
    counts, file = tally.counts(), list_problems(source, tally, store)
    chosen = _chosen_of(target)
    absent = [] if tally.refused else _absent(chosen, reader)
    differing = [] if tally.refused else declared_differences(source, counts)
    if not tally.counted and not tally.refused:
        differing = ["it has no records"]
    is_whole = not tally.refused and not tally.problems
    digest = tally.digest() if is_whole else None
    return Checked(
        source.declared,
        is_whole and not absent and (not differing or (source.approximate and tally.counted > 0)),
        published,
        counts,
        digest,
        problems=len(tally.refused) + len(tally.problems),
        kinds=dict(sorted(tally.kinds.items())),
        first_problems=(*tally.refused[:SHOWN_PROBLEMS], *tally.problems[:SHOWN_PROBLEMS]),
        looked_in=looked_in(source, reader).strip() or None if tally.problems else None,
        problems_file=file,
        notes=(
            *left_out_lines(counts, file),
            *differing,
            *_changed(target, digest, store),
            *(f"{benchmark.id}: only {number_of(len(ids), 'question')}" for benchmark, ids in chosen),
            *absent,
        ),
        treated=dict(sorted(tally.treated.items())),
        images=tuple(treated_lines(tally.treated, source.pixels)),
    )


def _chosen_of(target: Target) -> list[tuple[BenchmarkSpec, tuple[str, ...]]]:
    """List the benchmarks on a source of which the study names the questions, with their ids."""
    asked = () if target.plan is None else (*target.plan.benchmarks, *target.plan.samples)
    name = source_name(target.source)
    return [(each, each.only.ids) for each in asked if each.only is not None and source_name(each.source) == name]


def _absent(chosen: Sequence[tuple[BenchmarkSpec, tuple[str, ...]]], reader: Reader) -> list[str]:
    """Say which of the questions that a study names are not in the source."""
    if not chosen:
        return []
    tags_of = {record.id: record.tags for record in reader.records()}
    problems = []
    for benchmark, ids in chosen:
        is_all = benchmark.select is None
        there = [name for name in ids if name in tags_of and (is_all or benchmark.select in tags_of[name])]
        problems.append(absent_ids(benchmark, there))
    return [f"{problem.key}: {problem.law}" for problem in problems if problem is not None]


def _changed(target: Target, digest: str | None, store: Store) -> list[str]:
    before = known_digests(store).digests.get(source_name(target.source))
    if before is None or digest is None or before == digest:
        return []
    return [f"changed since it was prepared as {before[:12]}: the next run trains anew on what is there now"]


def to_terminal(checks: Sequence[Checked], out: Console) -> None:
    """Print the result of each check, with the first problems of a source that failed."""
    for check in checks:
        mark = ("ok    ", "green") if check.is_fine else ("wrong ", "red")
        out.print(Text.assemble(mark, _line(check)), soft_wrap=True)
        lines = [*check.notes, *check.images, *check.first_problems]
        if check.problems > len(check.first_problems):
            lines.append(f"and {check.problems - len(check.first_problems):,} more")
        if check.looked_in:
            lines.append(check.looked_in)
        if check.problems_file and check.problems:
            lines.append(f"All of them are listed in {check.problems_file}.")
        if check.error:
            lines += check.error.splitlines()
        if not check.is_fine and check.published:
            lines.append(f"Published as: {check.published}")
        for line in lines:
            out.print(f"      {one_line(line)}", soft_wrap=True)


def _line(check: Checked) -> str:
    if check.counts is None:
        return check.source
    counts = check.counts
    records = f"{check.source}: {counts.records:,} records ({counts.text_only:,} text-only)"
    images = sum(count for kind, count in check.kinds.items() if kind.endswith(" image"))
    broken = f", {images:,} of them cannot be used" if images else ""
    if check.problems > images:
        broken += f", {check.problems - images:,} records that cannot be read"
    return f"{records}, {counts.images:,} images{broken}" + (f", digest {check.digest[:12]}" if check.digest else "")
