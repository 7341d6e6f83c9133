"""Show the studies of a storage in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.state.runs import time_text
from orchestrator.storage.studies import StorageOverview, StudyOverview
from orchestrator.terminal.tables import table
from search_spaces.quantities import bytes_text


def overview_view(shown: StorageOverview) -> RenderableType:
    """Show one line for each study, who runs those that run, and what cannot be read."""
    if not shown.studies:
        return Text("no study has run on this storage")
    columns = ("study", "state", "done", "failed", "size", "of it alone", "last run")
    rows = [
        (
            study.study,
            study.state,
            f"{study.done:,} of {study.trials:,}",
            f"{study.failed:,}" if study.failed else "",
            bytes_text(study.size_bytes),
            bytes_text(study.exclusive_bytes),
            _last_run(study),
        )
        for study in shown.studies
    ]
    parts: list[RenderableType] = [table("Studies", columns, rows, right=(2, 3, 4, 5), total=len(rows))]
    for study in shown.studies:
        parts += [Text.assemble(("run", "cyan"), f" of {study.study}: {run}") for run in study.runs]
        parts += [Text(f"{study.study}: {study.gone} trials are no longer in it", "dim")] if study.gone else []
        parts += [Text(f"{study.study}: {study.problem}", "yellow")] if study.problem is not None else []
    parts.append(
        Text(
            f"{bytes_text(shown.referred_bytes)} belong to studies, what several share counted once, of "
            f"{bytes_text(shown.size_bytes)} on this storage",
            "dim",
        )
    )
    return Group(*parts)


def _last_run(study: StudyOverview) -> str:
    """Write when the last run ended, and how; when something was last written where no record of it is left."""
    last = study.last
    if last is None:
        return "" if study.changed is None else time_text(round(study.changed * 1000))
    if last.ended is not None:
        return f"{time_text(last.ended)}, {last.ending}"
    return f"{time_text(last.began)}, {'goes on' if study.runs else 'was killed'}"
