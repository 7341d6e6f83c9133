"""Show in a terminal what lies on a storage, and what of it can be freed, and what is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from orchestrator.storage.freeable import REASONS, Freeable, FreeableKind
from orchestrator.storage.verify import Job, Verification
from orchestrator.terminal.tables import table
from search_spaces.quantities import Device, bytes_text, device_time, number_of
from trainables.storage import layout
from trainables.storage.inventory import Inventory

_SHOWN_STUDIES = 3
_SHOWN_UNKNOWN = 10


def inventory_view(inventory: Inventory) -> RenderableType:
    """Show the sizes of all classes of files, and files that are not this program's."""
    rows: list[tuple[str, str, str]] = [
        (kind, f"{amount.files:,}", bytes_text(amount.size_bytes))
        for kind, amount in sorted(inventory.amounts.items(), key=lambda pair: -pair[1].size_bytes)
        if amount.files
    ]
    total = sum(amount.files for amount in inventory.amounts.values())
    rows.append(("all", f"{total:,}", bytes_text(inventory.size_bytes)))
    parts: list[RenderableType] = [table("What lies here", ("class", "files", "size"), rows, right=(1, 2))]
    if inventory.has_sources:
        parts.append(Text(f"{layout.SOURCES}/ holds your own data: it is not counted, and never touched", "dim"))
    unknown = inventory.amounts["unknown"].files
    if unknown:
        shown = ", ".join(inventory.unknown[:_SHOWN_UNKNOWN])
        more = f" and {unknown - _SHOWN_UNKNOWN:,} more" if unknown > _SHOWN_UNKNOWN else ""
        parts.append(Text(f"{number_of(unknown, 'file')} not of this program, never touched: {shown}{more}", "yellow"))
    parts += [Text(f"{folder}/ cannot be looked into", "yellow") for folder in inventory.unreadable]
    return Group(*parts)


def freeable_view(items: Sequence[Freeable]) -> RenderableType:
    """Show what can be freed, by reason and studies; with what making it again would cost."""
    groups: dict[tuple[FreeableKind, tuple[str, ...]], list[Freeable]] = {}
    for item in items:
        groups.setdefault((item.kind, item.studies), []).append(item)
    rows = [
        (
            REASONS[kind],
            _studies(studies),
            f"{len(group):,}",
            bytes_text(sum(item.size_bytes for item in group)),
            _cost(group),
        )
        for (kind, studies), group in groups.items()
    ]
    columns = ("what", "of studies", "number", "size", "to make again")
    return table("What can be freed", columns, rows, right=(2, 3, 4), total=len(rows))


_SHOWN_FINDINGS = 50


@contextmanager
def reading(jobs: Sequence[Job], console: Console) -> Iterator[Callable[[Job], None]]:
    """Show on a terminal how much of what is verified was read; yields what is told of each that was."""
    if not console.is_terminal:
        yield lambda job: None
        return
    columns = ("reading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(job.size_bytes for job in jobs))
        yield lambda job: progress.advance(task, job.size_bytes)


def verification_view(shown: Verification, quick: bool) -> RenderableType:
    """Show what is damaged or missing and who mends it, and how much is whole."""
    lines = [
        Text(f"{word} {finding.place}: {finding.problem}{_of(finding.studies)}; {finding.way_out}", "red")
        for word, findings in (("damaged", shown.damaged), ("missing", shown.missing))
        for finding in findings[:_SHOWN_FINDINGS]
    ]
    hidden = sum(max(0, len(findings) - _SHOWN_FINDINGS) for findings in (shown.damaged, shown.missing))
    if hidden:
        lines.append(Text(f"... and {hidden:,} more (--json has all)", "red"))
    if shown.unrecorded:
        lines.append(
            Text(
                f"{number_of(len(shown.unrecorded), 'file')} of which the version that wrote them recorded no digest: "
                f"complete by their shape, such as {shown.unrecorded[0]}",
                "yellow",
            )
        )
    unknown = shown.inventory.amounts["unknown"].files
    if unknown:
        lines.append(
            Text(f"{number_of(unknown, 'file')} not of this program, such as {shown.inventory.unknown[0]}", "dim")
        )
    lines += [Text(f"{folder}/ cannot be looked into", "yellow") for folder in shown.inventory.unreadable]
    how = "by record, size, header and footer" if quick else "byte by byte"
    counts = f"intact {how}: {shown.whole:,}; damaged: {len(shown.damaged):,}; missing: {len(shown.missing):,}"
    lines.append(Text(counts))
    return Group(*lines)


def _of(studies: Sequence[str]) -> str:
    return f" (of {_studies(studies)})" if studies else ""


def _studies(studies: Sequence[str]) -> str:
    more = len(studies) - _SHOWN_STUDIES
    return ", ".join(studies[:_SHOWN_STUDIES]) + (f" and {more} more" if more > 0 else "")


def _cost(items: Iterable[Freeable]) -> str:
    """Write what making things again would cost, in each kind of device apart."""
    seconds: dict[Device, float] = {}
    for item in items:
        seconds[item.device] = seconds.get(item.device, 0.0) + item.gpu_seconds
    return " and ".join(device_time(spent, device) for device, spent in seconds.items() if spent)
