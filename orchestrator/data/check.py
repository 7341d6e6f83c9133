"""Check a source: every record and image is there and whole, and counts are those that were declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from orchestrator.data.targets import Target
from orchestrator.planning.preflight import declared_differences, known_digests
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from trainables.data.pace import Progress
from trainables.data.prepare import list_image_problems
from trainables.data.readers import open_reader
from trainables.data.survey import survey
from trainables.data.treated import treated_lines
from trainables.storage.records import Counts
from trainables.storage.store import Store

_SHOWN = 20


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
    """Images that are missing or broken."""
    first_problems: tuple[str, ...] = ()
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
        tally = survey(open_reader(source, root), source.pixels, threads, progress)
    except InputError as error:
        return Checked(source.declared, False, published, error=str(error))
    counts, file = tally.counts(), list_image_problems(source, tally, store)
    differing = declared_differences(source, counts)
    if not tally.counted:
        differing = ["it has no records"]
    digest = None if tally.problems else tally.digest()
    return Checked(
        source.declared,
        not tally.problems and (not differing or (source.approximate and tally.counted > 0)),
        published,
        counts,
        digest,
        problems=len(tally.problems),
        first_problems=tuple(tally.problems[:_SHOWN]),
        problems_file=None if file is None else str(file),
        notes=(*differing, *_changed(target, digest, store)),
        treated=dict(sorted(tally.treated.items())),
        images=tuple(treated_lines(tally.treated, source.pixels)),
    )


def _changed(target: Target, digest: str | None, store: Store) -> list[str]:
    before = known_digests(store).digests.get(source_name(target.source))
    if before is None or digest is None or before == digest:
        return []
    return [f"changed since it was prepared as {before[:12]}: the next run trains anew on what is there now"]


def to_terminal(checks: Sequence[Checked], out: Console) -> None:
    """Print the result of each check, with the first problems of a source that failed."""
    for check in checks:
        mark = "[green]ok   [/]" if check.is_fine else "[red]wrong[/]"
        out.print(f"{mark} {_line(check)}", highlight=False, soft_wrap=True)
        lines = [*check.notes, *check.images, *check.first_problems]
        if check.problems > len(check.first_problems):
            lines.append(f"and {check.problems - len(check.first_problems):,} more")
        if check.problems_file:
            lines.append(f"All of them are listed in {check.problems_file}.")
        if check.error:
            lines += check.error.splitlines()
        if not check.is_fine and check.published:
            lines.append(f"Published as: {check.published}")
        for line in lines:
            out.print(f"      {line}", highlight=False, markup=False, soft_wrap=True)


def _line(check: Checked) -> str:
    if check.counts is None:
        return check.source
    counts = check.counts
    records = f"{check.source}: {counts.records:,} records ({counts.text_only:,} text-only)"
    broken = f", {check.problems:,} of them missing or broken" if check.problems else ""
    return f"{records}, {counts.images:,} images{broken}" + (f", digest {check.digest[:12]}" if check.digest else "")
