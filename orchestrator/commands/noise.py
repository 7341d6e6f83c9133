"""The command that measures how much a study's base varies over seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    console,
    planned_study,
    print_json,
)
from orchestrator.commands.run import end_of_run
from orchestrator.commands.running_options import RunningOptions
from orchestrator.settings import storage_root
from search_spaces.errors import InputError


@takes_groups
def noise(
    study: StudyArgument,
    *,
    seeds: Annotated[int, typer.Option("--seeds", min=2, max=1000, help="Seeds of the base, its own ones first.")] = 5,
    storage: StorageOption = None,
    selection: SelectionOptions,
    running: RunningOptions,
    as_json: JsonOption = False,
) -> None:
    """Train the base with several seeds: what is noise, what 2, 3, 5 and 10 seeds decide, and what they cost.

    The study finds these trials done. `ablate plan` reckons with what was seen.
    """
    from orchestrator.analysis.noise import measured_floor, noise_view
    from orchestrator.analysis.study_scores import StudyScores
    from orchestrator.run_study import run_loaded
    from orchestrator.state.noise_floor import write_floor
    from orchestrator.terminal.noise import noise_table
    from search_spaces.base_alone import base_alone
    from search_spaces.expansion.expand import stored_name
    from trainables.storage import layout

    if selection.limit is not None:
        raise InputError("the base alone is run, with --seeds of it; a limit would cut them", key="--limit")
    loaded, planned, store = planned_study(study, storage_root(storage), selection)
    base = next((arm for arm in planned.arms if arm.name == planned.base), None)
    if base is None:
        raise InputError("the study must have its base among its arms: noise is measured on it", place=study)
    alone = base_alone(loaded, base.name, seeds)
    copy = store.place(layout.study_file(stored_name(alone, toy=selection.toy)))
    plan_options = replace(selection.plan_options(store.root, running.address), overrides=())  # they are in `alone`
    options = running.run_options(plan_options, copy)
    out = console(stderr=as_json)
    done = run_loaded(alone, options, out)
    code = end_of_run(done, options, out)
    scored = StudyScores.of(done.plan, store, done.ledger)
    floor = measured_floor(done.plan, base.id, scored, done.ledger)
    if not floor.seeds:
        out.print("no seed has scores on all benchmarks: there is no spread to show")
        raise typer.Exit(code)
    write_floor(store, planned.study, floor)
    view = noise_view(planned.study, base.name, floor, scored.device)
    if as_json:
        print_json(view.as_json())
    else:
        out.print(noise_table(view))
        out.print(
            f"kept in {store.place(layout.noise_floor(planned.study))}; `ablate plan` reckons with it", style="dim"
        )
    raise typer.Exit(code)
