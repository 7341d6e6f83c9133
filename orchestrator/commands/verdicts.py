"""`ablate verdicts`: what results say of hypotheses, of a study or of a table of scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StorageOption,
    console,
    planned_study,
)
from search_spaces.errors import InputError, nearest

if TYPE_CHECKING:
    from orchestrator.analysis.verdicts import Verdicts
    from search_spaces.plan import Plan
    from search_spaces.study import Study
    from trainables.storage.store import LocalStore

PUBLISHED = "prismatic/published"


@takes_groups
def verdicts(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="A study file, or the name of a shipped study.")
    ] = None,
    *,
    scores: Annotated[
        str | None,
        typer.Option("--scores", metavar="CSV", help="Judge a table instead: models by benchmarks, or a shipped name."),
    ] = None,
    hypotheses: Annotated[
        str | None, typer.Option("--hypotheses", metavar="YAML", help="Of --scores: a file, or a shipped name.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="Of --scores: paired-table or prismatic-2024.")
    ] = "paired-table",
    published: Annotated[
        bool, typer.Option("--published", help="Show the published difference of Prismatic VLMs beside every own one.")
    ] = False,
    pool: Annotated[
        str | None,
        typer.Option("--pool", metavar="CSV", help="Of --scores: measure z-scores against the models of this table."),
    ] = None,
    storage: StorageOption = None,
    selection: SelectionOptions,
    as_json: JsonOption = False,
) -> None:
    """What the results say of every hypothesis: better, worse, equivalent, not worse or undecided, and how surely."""
    if (study is None) == (scores is None):
        raise InputError("either STUDY or --scores must be given, and not both", key="verdicts")
    if scores is None and hypotheses is not None:
        raise InputError("must come with --scores: a study has its own", key="--hypotheses")
    if scores is not None:
        found = _of_table(scores, hypotheses, method, pool)
    else:
        assert study is not None
        found = _of_study(*planned_study(study, storage, selection))
    if published:
        found = _with_published(found)
    if as_json:
        from orchestrator.analysis.verdicts import verdicts_json

        print(json.dumps(verdicts_json(found), indent=1, allow_nan=False))
    else:
        from orchestrator.terminal.verdicts import to_terminal

        to_terminal(found, console())


def _of_table(scores: str, hypotheses: str | None, method: str, pool: str | None) -> Verdicts:
    from orchestrator.analysis.tables import TableMethod, judge_table, read_table
    from search_spaces.catalogue.load import shipped
    from search_spaces.claims import find_file, load_claims

    if hypotheses is None:
        raise InputError("must be given with --scores: a YAML file with `hypotheses`", key="--hypotheses")
    methods = get_args(TableMethod)
    if method not in methods:
        law = f"must be one of {', '.join(methods)}, but got {method!r}"
        raise InputError(law, key="--method", way_out=nearest(method, methods))
    table = read_table(find_file(scores, ".csv", "scores"), scores)
    claims, document = load_claims(find_file(hypotheses, ".yaml", "hypotheses"))
    reference = read_table(find_file(pool, ".csv", "pool"), pool) if pool is not None else None
    return judge_table(table, claims, document, method, shipped().suites, reference)  # type: ignore[arg-type]


def _of_study(study: Study, planned: Plan, store: LocalStore) -> Verdicts:
    from orchestrator.analysis.hypotheses import judge_study
    from orchestrator.analysis.study_scores import StudyScores
    from orchestrator.state.ledger import read_ledger

    ledger = read_ledger(planned, store)
    return judge_study(study, planned, ledger, StudyScores.of(planned, store, ledger))


def _with_published(found: Verdicts) -> Verdicts:
    from orchestrator.analysis.published import beside_published
    from orchestrator.analysis.tables import read_table
    from search_spaces.claims import find_file

    return beside_published(found, read_table(find_file(PUBLISHED, ".csv", "scores"), PUBLISHED))
