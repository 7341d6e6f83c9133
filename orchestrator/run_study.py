"""The main path of a study, step by step. Read this file first; docs/architecture.md has the steps as a picture."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import yaml
from rich.console import Console

from cluster.address import ClusterAddress, find_cluster
from cluster.fit import refuse_impossible, this_machine
from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import RunOptions, expand, plan
from orchestrator.planning.preflight import Digests, preflight
from orchestrator.reporting.build import build_report
from orchestrator.reporting.report_model import Report
from orchestrator.running.attempts import Outcomes, RunSettings
from orchestrator.running.tasks import make_task, remaining_work, requests_by_arm
from orchestrator.state.claims import write_claims
from orchestrator.state.documents import PlanDocument
from orchestrator.state.ledger import Ledger, read_ledger
from orchestrator.state.looks import read_looks
from orchestrator.state.superseded import set_aside_changed
from orchestrator.terminal.plain import plain_lines
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.study_files import load_study
from trainables.storage import layout
from trainables.storage.probe import require_capable
from trainables.storage.record_files import read, write
from trainables.storage.store import LocalStore, Store


@dataclass(frozen=True)
class StudyRun:
    """What a run came to."""

    study: Study
    plan: Plan
    report: Report
    ledger: Ledger
    outcomes: Outcomes | None
    """None if there was nothing left to do."""
    tracking: str | None
    """How to open the tracking server; None if there was nothing left to do, or offline."""


def run_study(name: str, options: RunOptions, console: Console) -> StudyRun:
    """Do what is left of a study, show it while it is done, and report. Running it again resumes it.

    Args:
        name: a study file, or the name of a study that ships.
        options: of the command line.
        console: where progress is shown.

    Raises:
        InputError: what is wrong with study, data, weights, cluster or storage, before anything runs.
    """
    return run_loaded(load_study(name, options.plan.overrides), options, console)  # 1: a file becomes a typed study


def run_loaded(study: Study, options: RunOptions, console: Console) -> StudyRun:
    """Do what is left of a study that was read, or made of another one; see `run_study`.

    Args:
        study: that is run.
        options: of the command line.
        console: where progress is shown.
    """
    store = LocalStore(options.plan.storage)
    require_capable(store.root)
    cluster = find_cluster(options.plan.address)
    expansion = expand(study, options.plan)  # 2: a study becomes arms and trials
    specs, data, told = expansion.specs(options.plan.limit), options.plan.data, plain_lines(console)
    known = preflight(specs, expansion.evaluation_sets, store, data, told)  # 3: data and weights are digested
    planned = plan(expansion, options.plan, known)  # 4: trials become a graph in which equal work is one node
    ledger = read_ledger(planned, store)
    outcomes, tracking = None, None
    if ledger.is_finished:
        tracking = show_version(study, planned, ledger, store, options, console)
    else:
        outcomes, tracking = train_and_score(study, planned, ledger, known, store, cluster, options, console)  # 5 to 8
        ledger = read_ledger(planned, store)
    report = build_report(study, planned, store, ledger, "run")  # 9: results become verdicts and a report
    return StudyRun(study, planned, report, ledger, outcomes, tracking)


def show_version(
    study: Study, plan: Plan, ledger: Ledger, store: Store, options: RunOptions, console: Console
) -> str | None:
    """Show a finished study on the tracking server where another version of it was the last that ran; nothing is run.

    Args:
        study: as it was written.
        plan: of which every trial is done.
        ledger: what storage holds of it.
        store: where its results are.
        options: of the command line.
        console: where trouble is shown: whatever the server does, the study is finished.

    Returns:
        How to open the tracking server; None if it shows this version already, or is not to be talked to.
    """
    last = read(store, layout.plan_file(plan.study), PlanDocument)
    if last is None or last.root.get("study", {}).get("digest") == plan.digest:
        return None
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
    write_claims(study, plan, ledger, store, up_to_seeds)
    read_looks(store, plan.study)  # a damaged record is refused now, not after hours of training
    store.put(layout.study_file(plan.study), yaml.safe_dump(study.document.value, sort_keys=False).encode())
    write(store, layout.plan_file(plan.study), PlanDocument(plan_json(plan)))


def train_and_score(
    study: Study,
    plan: Plan,
    ledger: Ledger,
    known: Digests,
    store: Store,
    cluster: ClusterAddress | None,
    options: RunOptions,
    console: Console,
) -> tuple[Outcomes, str | None]:
    """Run on Ray what storage lacks (5); workers train (6) and score (7); records flow to MLflow (8).

    Args:
        study: as it was written, for MLflow and for the copy on storage.
        plan: whose stages and features all have keys.
        ledger: what storage holds of the plan; only the rest is run.
        known: digests of data and weights, which workers name their inputs by.
        store: where results, leases and spools are.
        cluster: that is running; None for one inside this machine.
        options: of the command line.
        console: where progress is shown.

    Raises:
        InputError: if a trial can never fit into the cluster, or a node does not see the storage.

    Returns:
        What became of the trials, and how to open the tracking server; None if it was to be talked to later.
    """
    from cluster.connect import connect  # Ray and MLflow take seconds to load: only where something is left to do
    from cluster.ray_watch import parts_of_ray, watched
    from cluster.shared_storage import require_shared_storage
    from orchestrator.running.tuner import run_trials
    from orchestrator.terminal.live import LiveView
    from orchestrator.terminal.stops import end_without_ray
    from orchestrator.tracking.mlflow_connect import open_command, open_tracker
    from orchestrator.tracking.uploader import Uploader

    if cluster is None:
        refuse_impossible(requests_by_arm(plan), this_machine(options.cpus))
    set_aside_changed(plan, ledger, store)
    write_documents(study, plan, ledger, store, options.up_to_seeds)
    trials = {trial.id: trial for trial in plan.trials}
    done = [entry.id for entry in ledger.trials.values() if entry.state == "done"]
    tracker = None if options.offline else open_tracker(options.tracking_uri, options.plan.storage)
    with ExitStack() as stack:
        nodes = stack.enter_context(connect(cluster, options.cpus))
        refuse_impossible(requests_by_arm(plan), nodes)
        require_shared_storage(nodes, store)
        view = stack.enter_context(LiveView(plan, console, store=store, done=done))
        stack.enter_context(watched(parts_of_ray(), lambda part: end_without_ray(view, part)))
        if tracker is not None:
            uploader = Uploader(tracker, store, study, plan, notice=view.note, sync_command=options.sync_command)
            stack.enter_context(uploader)
        outcomes = run_trials(
            remaining_work(plan, ledger),
            plan.nodes,
            ledger.done_nodes,
            lambda trial: make_task(plan, trials[trial], known.digests, options.plan.storage, options.plan.data),
            store,
            RunSettings(plan.study, max_concurrent=options.max_concurrent, gpu_seconds_left=options.gpu_seconds_left),
            view.show,
        )
    return outcomes, open_command(tracker) if tracker else None
