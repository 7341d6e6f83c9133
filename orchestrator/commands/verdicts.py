"""`ablate verdicts`: what results say of hypotheses, of a study, of a table of scores, or of scores per question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    OptionalStudyArgument,
    SelectionOptions,
    StorageOption,
    console,
    item_paths,
    planned_study,
    print_json,
)
from orchestrator.settings import existing_storage
from search_spaces.errors import InputError
from search_spaces.quantities import number_of

if TYPE_CHECKING:
    from orchestrator.analysis.verdict_model import Verdicts
    from orchestrator.items.judge import JudgedItems
    from orchestrator.items.overview import ItemsOverview
    from search_spaces.plan import Plan
    from search_spaces.study import Study
    from trainables.storage.store import Store

PUBLISHED = "prismatic/published"


@takes_groups
def verdicts(
    study: OptionalStudyArgument = None,
    *,
    scores: Annotated[
        str | None,
        typer.Option(
            "--scores", metavar="FILE", help="Judge a table instead (CSV, Markdown, xlsx ...), or a shipped name."
        ),
    ] = None,
    items: Annotated[
        list[str] | None,
        typer.Option(
            "--items", metavar="PATH...", help="Judge scores per question instead: JSON Lines, Parquet, or folders."
        ),
    ] = None,
    hypotheses: Annotated[
        str | None,
        typer.Option("--hypotheses", metavar="YAML", help="Of --scores and --items: a file, or a shipped name."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", metavar="NAME", help="Statistical method (default: study; of --scores: paired-table)."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Show the published difference of Prismatic VLMs beside every own one.")
    ] = False,
    pool: Annotated[
        str | None,
        typer.Option("--pool", metavar="FILE", help="Of --scores: measure z-scores against the models of this table."),
    ] = None,
    storage: StorageOption = None,
    selection: SelectionOptions,
    as_json: JsonOption = False,
) -> None:
    """Judge every hypothesis by the results: better, worse, equivalent, not worse or undecided, and how surely."""
    named = study or []
    if items:
        items, named = item_paths(items, named), []
    if (len(named) == 1) + (scores is not None) + bool(items) != 1 or len(named) > 1:
        raise InputError("one of STUDY, --scores and --items must be given, and no two", key="verdicts")
    if named and hypotheses is not None:
        raise InputError("must come with --scores or --items: a study has its own", key="--hypotheses")
    of_items: JudgedItems | None = None
    if scores is not None:
        judged = _of_table(scores, hypotheses, method, pool)
    elif items:
        of_items = _of_items(items, hypotheses, method, pool)
        judged = of_items.verdicts
    else:
        judged = _of_study(*planned_study(named[0], existing_storage(storage), selection), method)
    if published:
        judged = _with_published(judged)
    if as_json:
        from orchestrator.analysis.verdict_model import verdicts_json

        print_json(verdicts_json(judged) | (_overview(of_items).as_json() if of_items is not None else {}))
    else:
        from orchestrator.terminal.verdicts import to_terminal

        to_terminal(judged, console())
        if of_items is not None:
            from orchestrator.terminal.items import overview_to_terminal

            overview_to_terminal(_overview(of_items), console())


def _of_table(scores: str, hypotheses: str | None, method: str | None, pool: str | None) -> Verdicts:
    from orchestrator.analysis.methods.judge_table import judge_table
    from orchestrator.analysis.methods.registry import TABLE_METHODS, find_name
    from orchestrator.analysis.score_table import read_table
    from search_spaces.catalogue.load import shipped
    from search_spaces.claims import find_file, load_claims

    if hypotheses is None:
        raise InputError("must be given with --scores: a YAML file with `hypotheses`", key="--hypotheses")
    name = find_name(method, TABLE_METHODS)
    claims, document = load_claims(find_file(hypotheses, ".yaml", "hypotheses"))
    if claims.seed_sd is not None:
        raise InputError("must come with --items: a table of scores has no seeds", key="seed_sd")
    columns, models = claims.table.columns, claims.table.models
    table = read_table(find_file(scores, ".csv", "scores"), scores, columns, models)
    reference = read_table(find_file(pool, ".csv", "pool"), pool, columns) if pool is not None else None
    return judge_table(table, claims.hypotheses, document, name, shipped().suites, reference)


def _of_items(items: Sequence[str], hypotheses: str | None, method: str | None, pool: str | None) -> JudgedItems:
    from orchestrator.analysis.methods.registry import STUDY_METHODS, find_name
    from orchestrator.items.check import checked_items
    from orchestrator.items.files import read_items
    from orchestrator.items.judge import judge_items
    from search_spaces.claims import find_file, load_claims

    if hypotheses is None:
        raise InputError("must be given with --items: a YAML file with `hypotheses`", key="--hypotheses")
    if pool is not None:
        raise InputError("must come with --scores: the arms of items are their own pool", key="--pool")
    name = find_name(method, STUDY_METHODS)
    claims, document = load_claims(find_file(hypotheses, ".yaml", "hypotheses"))
    read = read_items([Path(path).expanduser() for path in items])
    source = items[0] if len(items) == 1 else f"{items[0]} and {number_of(len(items) - 1, 'more path')}"
    return judge_items(checked_items(read), claims, document, source=source, notes=read.notes, method=name)


def _overview(judged: JudgedItems) -> ItemsOverview:
    from orchestrator.items.overview import overview_of

    return overview_of(judged)


def _of_study(study: Study, planned: Plan, store: Store, method: str | None) -> Verdicts:
    from orchestrator.analysis.counted_looks import judge_and_count
    from orchestrator.analysis.methods.registry import STUDY_METHODS, find_name
    from orchestrator.analysis.study_scores import StudyScores
    from orchestrator.state.ledger import read_ledger

    name = find_name(method, STUDY_METHODS)
    ledger = read_ledger(planned, store)
    return judge_and_count(study, planned, ledger, StudyScores.of(planned, store, ledger), store, "verdicts", name)


def _with_published(judged: Verdicts) -> Verdicts:
    from orchestrator.analysis.published import beside_published
    from orchestrator.analysis.score_table import read_table
    from search_spaces.claims import find_file

    return beside_published(judged, read_table(find_file(PUBLISHED, ".csv", "scores"), PUBLISHED))
