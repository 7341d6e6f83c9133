"""The main path of a study, step by step. Read this file first; docs/architecture.md has the steps as a picture."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial

import yaml
from rich.console import Console

from cluster.address import ClusterAddress, find_cluster
from cluster.connect import remove_dead_clusters
from cluster.demand import Demand
from cluster.fit import refuse_impossible, refuse_unfit, this_machine
from orchestrator.planning.chosen_settings import run_settings
from orchestrator.planning.cluster_check import require_cluster
from orchestrator.planning.durations import durations
from orchestrator.planning.estimates import refuse_beyond_budget
from orchestrator.planning.named_study import named_study
from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import RunOptions, expand
from orchestrator.planning.preflight import Digests, preflight
from orchestrator.planning.selection import selected_trials
from orchestrator.preview import beside_storage
from orchestrator.reporting.kept_report import report_of
from orchestrator.reporting.report_model import Report
from orchestrator.running.attempts import Outcomes
from orchestrator.running.registered import RegisteredRun, registered
from orchestrator.running.rehearsals import chosen_rehearsals
from orchestrator.running.run_clock import RunClock
from orchestrator.running.storage_pause import StorageGoneError
from orchestrator.running.tasks import make_task, remaining_work, requests_by_arm
from orchestrator.running.trial_events import told_to_each
from orchestrator.state.claims import write_claims
from orchestrator.state.difference import Difference
from orchestrator.state.documents import PlanDocument, PlanHeader, require_own_folder
from orchestrator.state.keep_finished import keep_finished
from orchestrator.state.ledger import Ledger, gpu_seconds, gpu_seconds_by_trial, read_ledger
from orchestrator.state.looks import read_looks
from orchestrator.state.retries import remember_retries
from orchestrator.state.superseded import set_aside_changed
from orchestrator.storage.budget import DiskBudget
from orchestrator.terminal.difference import show_difference
from orchestrator.terminal.plain import plain_lines
from orchestrator.terminal.stops import StoppedError
from orchestrator.tracking.unclosed import has_unclosed
from search_spaces.credentials import without_credentials
from search_spaces.errors import InputError
from search_spaces.expansion.expand import Expansion
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage import layout
from trainables.storage.probe import require_capable
from trainables.storage.record_files import read, write
from trainables.storage.records import RunUsage
from trainables.storage.store import LocalStore, Store
from trainables.task import TrialTask


@dataclass(frozen=True)
class StudyRun:
    """What a run came to."""

    study: Study
    plan: Plan
    difference: Difference
    """To what storage held when the run began."""
    report: Report
    ledger: Ledger
    outcomes: Outcomes | None
    """None if there was nothing left to do."""
    tracking: str | None
    """How to open the tracking server; None if there was nothing left to do, or offline."""
    selected: frozenset[str]
    """Ids of the trials that were to be done."""
    stopped_by: str | None = None
    """Who has ended it with `ablate stop`."""


def run_study(name: str, options: RunOptions, console: Console) -> StudyRun:
    """Do what is left of a study, show it while it is done, and report. Running it again resumes it.

    Args:
        name: a study file, or the name of a study that ships or is on storage.
        options: of the command line.
        console: where progress is shown.

    Raises:
        InputError: what is wrong with study, data, weights, cluster or storage, before anything runs.
    """
    study = named_study(name, options.plan.storage, options.plan.overrides)  # 1: a file becomes a typed study
    return run_loaded(study, options, console)


def run_loaded(study: Study, options: RunOptions, console: Console) -> StudyRun:
    """Do what is left of a study that was read, or made of another one; see `run_study`.

    Args:
        study: that is run.
        options: of the command line.
        console: where progress is shown.

    Raises:
        InputError: what is wrong with data, weights, cluster or storage, before anything runs.
        StorageGoneError: storage is away when the run ends, so that nothing can be reported.
    """
    store = LocalStore(options.plan.storage)
    require_capable(store.root)
    cluster = find_cluster(options.plan.address)
    expansion = expand(study, options.plan)  # 2: a study becomes arms and trials
    selected = selected_trials(expansion, options.only, options.plan.limit)
    told = plain_lines(console)
    with registered(store, expansion.name, without_credentials(shlex.join(["ablate", *sys.argv[1:]])), told) as run:
        try:
            require_cluster(study, expansion, selected, store, cluster, options)
            done = _run_expanded(study, expansion, selected, store, cluster, options, run, console)
        except StoppedError as stopped:
            raise StoppedError(stopped.number, run.request.by if run.request is not None else None) from None
    return done if run.request is None else replace(done, stopped_by=run.request.by)


def _run_expanded(
    study: Study,
    expansion: Expansion,
    selected: frozenset[str],
    store: LocalStore,
    cluster: ClusterAddress | None,
    options: RunOptions,
    run: RegisteredRun,
    console: Console,
) -> StudyRun:
    """Do what is left of the selected trials of an expanded study."""
    specs, asked, told = expansion.specs(selected=selected), expansion.evaluation_sets, plain_lines(console)
    load = partial(_load_libraries, offline=options.offline)
    known = preflight(specs, asked, store, options.plan.data, told, load)  # 3: data and weights are digested
    beside = beside_storage(study, expansion, selected, known, store, options)  # 4: work
    planned, ledger, difference, results = beside
    show_difference(difference, planned, console)
    outcomes, tracking = None, None
    if difference.todo.trials == 0:
        remove_dead_clusters()  # as does whoever starts one
        tracking = show_version(study, planned, ledger, store, options, console)
    else:
        outcomes, tracking = train_and_score(
            study, planned, difference, ledger, known, store, cluster, options, run, console
        )  # 5 to 8
        if outcomes.storage_trouble is not None and not store.exists(layout.plan_file(planned.study)):
            raise StorageGoneError(outcomes.storage_trouble)
        ledger, results = read_ledger(planned, store), None
    report = report_of(study, planned, store, ledger, "run", results)  # 9: results become verdicts and a report
    keep_finished(planned, ledger, store)
    return StudyRun(study, planned, difference, report, ledger, outcomes, tracking, selected)


def _load_libraries(*, offline: bool) -> None:
    """Load what trials are run with: it takes seconds, and weights that are checked for the first time leave them."""
    import orchestrator.running.tuner

    if not offline:
        import orchestrator.tracking.mlflow_connect  # noqa: F401


def show_version(
    study: Study, plan: Plan, ledger: Ledger, store: Store, options: RunOptions, console: Console
) -> str | None:
    """Show a study on the tracking server where it does not show this version, or runs that a kill left open.

    Nothing is run.

    Args:
        study: as it was written.
        plan: of which nothing is left that this run is to do.
        ledger: what storage holds of it.
        store: where its results are.
        options: of the command line.
        console: where trouble is shown: whatever the server does, nothing is left to do.

    Returns:
        How to open the tracking server; None if it shows this version already, or is not to be talked to.
    """
    last = read(store, layout.plan_file(plan.study), PlanHeader)
    is_same = last is not None and last.study.digest == plan.digest
    if last is None or (is_same and not has_unclosed(store, plan.study)):
        return None
    if not is_same:
        write_documents(study, plan, ledger, store, options.up_to_seeds)
    if options.offline:
        return None
    from orchestrator.tracking.mlflow_connect import open_command, open_tracker
    from orchestrator.tracking.uploader import Uploader

    try:
        tracker = open_tracker(options.tracking_uri, options.plan.storage)
    except InputError as error:
        console.print(f"tracking: {error}", soft_wrap=True)
        return None
    with Uploader(tracker, store, study, plan, notice=console.print, sync_command=options.sync_command):
        pass
    return open_command(tracker)


def write_documents(study: Study, plan: Plan, ledger: Ledger, store: Store, up_to_seeds: int = 0) -> None:
    """Write the study as it was written and its plan to storage, and its hypotheses before they are judged.

    Args:
        study: as it was written.
        plan: of the study.
        ledger: what storage holds of the plan: which trials have scores already.
        store: where to.
        up_to_seeds: to which this run goes by itself.
    """
    require_own_folder(store, plan.study)
    write_claims(study, plan, ledger, store, up_to_seeds)
    read_looks(store, plan.study)  # a damaged record is refused now, not after hours of training
    store.put(layout.study_file(plan.study), yaml.safe_dump(study.document.value, sort_keys=False).encode())
    write(store, layout.plan_file(plan.study), PlanDocument(plan_json(plan)))


def train_and_score(
    study: Study,
    plan: Plan,
    difference: Difference,
    ledger: Ledger,
    known: Digests,
    store: Store,
    cluster: ClusterAddress | None,
    options: RunOptions,
    run: RegisteredRun,
    console: Console,
) -> tuple[Outcomes, str | None]:
    """Run on Ray what storage lacks (5); workers train (6) and score (7); records flow to MLflow (8).

    Args:
        study: as it was written, for MLflow and for the copy on storage.
        plan: of the whole study.
        difference: to what storage holds: which trials are run. Their stages and features have keys.
        ledger: what storage holds of the plan.
        known: digests of data and weights, which workers name their inputs by.
        store: where results, leases and spools are.
        cluster: that is running; None for one inside this machine.
        options: of the command line.
        run: as it is registered, with what it was to take and has taken.
        console: where progress is shown.

    Raises:
        InputError: if a trial can never fit into the cluster, a node does not see the storage, or none has the weights.

    Returns:
        What became of the trials, and how to open the tracking server; None if it was to be talked to later.
    """
    from cluster.connect import connect  # Ray and MLflow take seconds to load: only where something is left to do
    from cluster.ray_watch import parts_of_ray, watched
    from orchestrator.doctor.before_run import refuse_without_compiler, tell_gpu_troubles
    from orchestrator.doctor.nodes_check import check_nodes
    from orchestrator.planning.run_forecast import forecast_run
    from orchestrator.running.tuner import list_cluster_nodes, list_hardware, run_trials
    from orchestrator.terminal.live import LiveView
    from orchestrator.terminal.stops import end_without_ray
    from orchestrator.tracking.opening import opening_tracker
    from orchestrator.tracking.uploader import Uploader

    chosen = {trial.id for trial in difference.trials if trial.is_run}
    narrowed = plan.narrowed(chosen)
    refuse_beyond_budget(plan)
    if cluster is None:
        refuse_impossible(requests_by_arm(narrowed), this_machine(options.cpus))
        refuse_without_compiler(narrowed)
        tell_gpu_troubles(narrowed, plain_lines(console))
    set_aside_changed(narrowed, ledger, store)
    if options.rehearsals != "only":  # else none of them is tried again
        remember_retries(narrowed, ledger, store)
    write_documents(study, plan, ledger, store, options.up_to_seeds)
    trials = {trial.id: trial for trial in plan.trials}
    done = [entry.id for entry in ledger.trials.values() if entry.state == "done"]
    shown = plan.narrowed({*chosen, *done})
    with ExitStack() as stack:
        opening = opening_tracker(options.tracking_uri, options.plan.storage, plain_lines(console))
        opened = None if options.offline else stack.enter_context(opening)  # while Ray starts
        nodes = stack.enter_context(connect(cluster, options.cpus))
        refuse_unfit(requests_by_arm(narrowed), nodes, options.may_come)
        settings = run_settings(study, plan, options, gpu_seconds(ledger))
        checked = check_nodes(narrowed, nodes, store, settings.interface, cluster, options, plain_lines(console))
        tracker = None if opened is None else opened()
        view = stack.enter_context(LiveView(shown, console, store=store, done=done))
        stack.enter_context(watched(parts_of_ray(), lambda part: end_without_ray(view, part)))
        if tracker is not None:
            uploader = Uploader(tracker, store, study, plan, notice=view.note, sync_command=options.sync_command)
            stack.enter_context(uploader)
        admitted = checked.admitted(list_cluster_nodes, store, view.note)
        stack.enter_context(closing(admitted))
        clock = RunClock()
        receivers = [clock.show, view.show]
        if options.events is not None:
            options.events.run_started(shown, len(done))
            receivers.append(options.events.show)

        def task_of(trial: str) -> TrialTask:
            return make_task(plan, trials[trial], known.digests, options.plan.storage, options.plan.data)

        pieces = durations(shown, ledger, store)  # what is done tells how long the rest takes
        work = remaining_work(narrowed, ledger, {node: piece.seconds for node, piece in pieces.items()})
        most = settings.max_concurrent
        run.forecast(forecast_run(work, pieces, ledger.done_nodes, checked.nodes, options.may_come, most))
        outcomes = run_trials(
            work,
            narrowed.nodes,
            ledger.done_nodes,
            task_of,
            store,
            settings,
            told_to_each(*receivers),
            view.note,
            DiskBudget(plan, store, settings.storage_bytes, view.note).trouble,
            admitted,
            rehearsals=chosen_rehearsals(options.rehearsals, narrowed, ledger, task_of, store, list_hardware()),
            placeable=None if cluster is None else lambda: admitted.ids,
            demand=Demand(options.may_come) if options.may_come else None,
            spent_before=gpu_seconds_by_trial(ledger),
        )
        run.used(RunUsage(len(outcomes.done), clock.wall_s, outcomes.spent_s))
    if tracker is None:
        return outcomes, None
    from orchestrator.tracking.mlflow_connect import open_command

    return outcomes, open_command(tracker)
