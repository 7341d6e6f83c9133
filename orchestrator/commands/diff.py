"""`ablate diff`: in what two studies differ, and what the difference costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import (
    DataOption,
    GpuOption,
    JsonOption,
    PlannedStudy,
    SelectionOptions,
    SetOption,
    StorageOption,
    ToyOption,
    console,
    open_store,
    planned_study,
    print_json,
)
from orchestrator.settings import chosen_root, data_root
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.planning.work_price import WorkPrice
    from orchestrator.state.difference import Difference


def diff(
    first: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study: a file, a folder, a shipped one, or a name on storage.")
    ],
    second: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="The study it becomes; else what storage has becomes STUDY.")
    ] = None,
    storage: StorageOption = None,
    data: DataOption = None,
    overrides: SetOption = None,
    toy: ToyOption = False,
    gpu: GpuOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show in what two studies differ (base, arms, seeds, benchmarks, claims), what must be trained, and its price.

    With one STUDY, it is compared with the version of it that ran last on the storage. --set changes the later one.
    Nothing is run or written.
    """
    from orchestrator.planning.estimates import Assumptions
    from orchestrator.planning.study_difference import compare_studies, study_difference_json
    from orchestrator.planning.text_lengths import MeasuredMixes
    from orchestrator.planning.work_price import price_stages
    from orchestrator.state.ledger import read_ledger
    from orchestrator.terminal.study_difference import study_difference_to_terminal

    root = chosen_root(storage)
    later = planned_study(second or first, root, SelectionOptions(data=data, overrides=overrides, toy=toy))
    earlier = _earlier(later.plan.study, first if second else None, root, SelectionOptions(data=data, toy=toy))
    ledger = read_ledger(later.plan, later.store)
    beside = _beside_storage(later, root, SelectionOptions(data=data, overrides=overrides, toy=toy))
    todo = list(dict.fromkeys(stage for trial in beside.trials if trial.is_run for stage in trial.stages))
    measured = MeasuredMixes(later.store, data_root(data, root))
    price = price_stages(later.plan, ledger, todo, replace(Assumptions.of(gpu, None, None), measured=measured))
    difference = compare_studies(earlier[:2], later[:2])
    if as_json:
        print_json(
            {
                "first": earlier.plan.study,
                "second": later.plan.study,
                **study_difference_json(difference),
                "to_train": asdict(price),
                "counts": beside.counts(),
            }
        )
        return
    out = console()
    what = f"{first} -> {second}" if second else f"{first}, as it ran last on {root} -> {first}"
    out.print(what, soft_wrap=True)
    if difference.is_empty:
        out.print("  the same study")
    else:
        study_difference_to_terminal(difference, out)
    out.print(_work(difference.new_stages, beside, price), soft_wrap=True)


def _earlier(name: str, first: str | None, root: Path, selection: SelectionOptions) -> PlannedStudy:
    """Plan the earlier study: the one that is given, or the one whose last run storage has under a planned name."""
    if first is not None:
        return planned_study(first, root, selection)
    from orchestrator.state.documents import file_of_last_run

    file = file_of_last_run(open_store(root), name)
    if file is None:
        law = f"storage must have a study {name!r} to compare with, but it has none"
        way_out = "`ablate run` keeps a study there; `ablate diff A B` compares two files."
        raise InputError(law, place=str(root), way_out=way_out)
    return planned_study(str(file), root, selection)


def _beside_storage(later: PlannedStudy, root: Path, selection: SelectionOptions) -> Difference:
    from orchestrator.planning.planned import RunOptions
    from orchestrator.preview import preview

    _, difference, _ = preview(later.study, RunOptions(plan=selection.plan_options(root)))
    return difference


def _work(new_stages: Sequence[str], beside: Difference, price: WorkPrice) -> str:
    """Say what trials are left of the later study, and what that takes."""
    counts = ", ".join(f"{count} {kind}" for kind, count in beside.counts().items() if count)
    gone = f", {len(beside.gone)} gone" if beside.gone else ""
    alone = f"  stages      {len(new_stages)} that the earlier study has not\n" if new_stages else ""
    return f"{alone}  trials      {counts or 'none'}{gone}\n  to train    {price.sentence}"
