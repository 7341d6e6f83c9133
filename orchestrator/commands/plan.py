"""`ablate plan`: what a study would do and take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.option_groups import takes_groups
from orchestrator.commands.options import (
    GpuOption,
    JsonOption,
    MfuOption,
    OnlyOption,
    ProfileOption,
    SelectionOptions,
    StorageOption,
    StudyArgument,
    TextOption,
    console,
    planned_study,
    print_json,
)
from orchestrator.settings import chosen_root
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.analysis.plan_power import HypothesisPower
    from orchestrator.planning.estimates import Assumptions
    from orchestrator.planning.forecast import Forecast
    from search_spaces.plan import Plan
    from search_spaces.study import Study
    from trainables.storage.store import Store


@takes_groups
def plan(
    study: StudyArgument,
    *,
    storage: StorageOption = None,
    selection: SelectionOptions,
    only: OnlyOption = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Also arms, stages, memory, features, trials and power, as tables.")
    ] = False,
    resolved: Annotated[
        bool,
        typer.Option("--resolved", help="Every value of the study, defaults and catalogue too, and where it is from."),
    ] = False,
    gpu: GpuOption = None,
    mfu: MfuOption = None,
    text_tokens: TextOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a study would do and take, in some ten lines: arms, trials, what storage has, time, disk, what is
    missing, and what it can decide. Nothing is trained.
    """
    from orchestrator.planning.estimates import Assumptions, refuse_beyond_budget
    from orchestrator.planning.text_lengths import MeasuredMixes

    if sum((tables, resolved, as_json)) > 1:
        law = "must be given alone: each of --tables, --resolved and --json is another form of the plan"
        raise InputError(law, key=next(name for name, on in (("--tables", tables), ("--resolved", resolved)) if on))
    loaded, planned, store = planned_study(study, chosen_root(storage), selection, only)
    data = selection.plan_options(store.root).data
    measured = MeasuredMixes(store, data) if text_tokens is None else None  # a mean that is given is taken for all
    assumed = replace(Assumptions.of(gpu, mfu, text_tokens), measured=measured)
    forecast = None if profile is None else _forecast(planned, store, profile, gpu, assumed)
    if resolved or as_json:  # people see of a plan that is too large what is large in it; a program gets one document
        refuse_beyond_budget(planned, assumed)
    if resolved:
        whole = replace(selection, toy=False)
        written = planned_study(study, store.root, whole, only).plan if selection.toy else None
        _print_resolved(loaded, planned, written)
        return
    power = _power(loaded, planned, store)
    if as_json:
        from orchestrator.planning.plan_json import plan_sections

        further = {} if forecast is None else {"forecast": forecast.as_json()}
        powers = [hypothesis.as_json() for hypothesis in power]
        print_json({**plan_sections(planned, assumed), "power": powers, **further})
    elif tables:
        _print_tables(planned, assumed, power)
    else:
        from orchestrator.planning.plan_summary import plan_summary
        from orchestrator.terminal.plan_summary import plan_summary_lines

        shown = plan_summary(planned, store, data, assumed, power, loaded.budget.gpu_hours)
        for line in plan_summary_lines(shown, forecast):
            print(line)
    refuse_beyond_budget(planned, assumed)


def _print_tables(planned: Plan, assumed: Assumptions, power: Sequence[HypothesisPower]) -> None:
    """Print everything that a plan has, table after table."""
    from orchestrator.analysis.what_varies import what_varies
    from orchestrator.terminal.plan import plan_view
    from orchestrator.terminal.power_table import power_view

    out = console()
    out.print(plan_view(planned, assumed))
    if power:
        out.print(power_view(power))
    out.print(f"{what_varies(planned)}.")


def _print_resolved(loaded: Study, planned: Plan, written: Plan | None) -> None:
    """Print every value of a study with its origin, a line each.

    Args:
        loaded: the study.
        planned: its plan.
        written: of a plan in toy form, that of the study as it was written.
    """
    from orchestrator.planning.resolved_study import resolved_values

    for value in resolved_values(loaded, planned, written):
        print(f"{value.path}: {value.text}  # {value.origin}")


def _power(loaded: Study, planned: Plan, store: Store) -> tuple[HypothesisPower, ...]:
    """Predict what the plan's hypotheses can decide, from what storage knows of their arms and benchmarks."""
    if not loaded.hypotheses:
        return ()
    from orchestrator.analysis.plan_knowledge import what_is_known
    from orchestrator.analysis.plan_power import plan_power
    from orchestrator.analysis.study_scores import StudyScores
    from orchestrator.planning.preflight import known_digests
    from orchestrator.state.ledger import read_ledger

    ledger, counts = read_ledger(planned, store), known_digests(store).counts
    compared = {arm for hypothesis in loaded.hypotheses for pair in hypothesis.pairs for arm in pair}
    trials = tuple(trial for trial in planned.trials if trial.arm in compared)
    scored = StudyScores.of(replace(planned, trials=trials), store, ledger)
    return plan_power(loaded, planned, what_is_known(planned, store, ledger, counts, scored))


def _forecast(planned: Plan, store: Store, name: str, gpu: str | None, assumed: Assumptions) -> Forecast:
    """Forecast what the rest of a study takes on the cluster of a profile, on its GPUs where no other was named."""
    from cluster.profile import load_profile
    from orchestrator.planning.forecast import forecast
    from orchestrator.state.ledger import read_ledger

    profile = load_profile(name)
    kinds = tuple(dict.fromkeys(kind.gpu for kind in profile.nodes if kind.gpu is not None))
    assumed = replace(assumed, there=kinds)
    if gpu is None and len(kinds) == 1:
        assumed = replace(assumed, gpu=kinds[0])
    return forecast(planned, read_ledger(planned, store), store, profile, assumed)
