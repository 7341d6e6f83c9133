"""Gather facts of a study as a run would begin it. Its data are not read, and nothing is written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from cluster.fit import impossible, this_machine
from orchestrator.doctor.facts import StudyFacts
from orchestrator.planning.estimates import Assumptions, Estimate, estimates, peak_disk
from orchestrator.planning.evaluation_estimates import EvaluationEstimate, evaluation_estimates
from orchestrator.planning.inputs_check import find_inputs
from orchestrator.planning.lost_work import lost_work_sentence
from orchestrator.planning.named_study import named_study
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.running.tasks import requests_by_arm
from orchestrator.state.ledger import Ledger, read_ledger
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.worker_contract import LAUNCHER_NOTES
from trainables.compile_tools import missing_compile_tools
from trainables.storage.store import LocalStore


def study_facts(name: str, options: PlanOptions) -> StudyFacts:
    """Plan a study with what its storage knows, and look for its inputs.

    Args:
        name: a study file, or the name of a shipped study.
        options: of the command line.
    """
    try:
        return _planned(name, options)
    except InputError as error:
        elsewhere = not options.is_embedded
        return StudyFacts(
            name, str(error), 0, 0, (), (), (), None, 0, None, None, None, None, False, 0, "", 0, elsewhere
        )


def _planned(name: str, options: PlanOptions) -> StudyFacts:
    store = LocalStore(options.storage)
    expansion = expand(named_study(name, options.storage, options.overrides), options, remembers=False)
    known = known_digests(store)
    planned = plan(expansion, options, known)
    ledger = read_ledger(planned, store)
    inputs = find_inputs(
        [trial.spec for trial in planned.trials], expansion.evaluation_sets, set(known.digests), options.data
    )
    by_node = estimates(planned, Assumptions())
    largest = _largest({**by_node, **evaluation_estimates(planned, Assumptions())})
    requests = requests_by_arm(planned)
    reasons = impossible(requests, this_machine()) if options.is_embedded else {}
    uses_gpus = any(request.gpus_per_worker for request in requests.values())
    compiles = any(request.compile for arm in planned.arms for request in arm.requests)
    there = next(folder for folder in (store.root, *store.root.parents) if folder.exists())
    return StudyFacts(
        name=planned.study,
        error=None,
        trials=len(planned.trials),
        done=sum(entry.state == "done" for entry in ledger.trials.values()),
        missing=inputs.missing,
        unread=inputs.unread,
        fetched=inputs.fetched,
        need_bytes=peak_disk(planned, by_node),
        held_bytes=_held(planned, ledger, by_node),
        free_bytes=shutil.disk_usage(there).free,
        misfit=next((f"{arm} {reason}" for arm, reason in reasons.items()), None),
        memory_bytes=None if largest is None else largest.memory.total,
        memory_note=None if largest is None else largest.note,
        gpu_share=1.0 if largest is None else largest.resources.gpu_share or 1.0,
        uses_gpus=uses_gpus,
        workers=max((request.workers for request in requests.values()), default=1),
        lost_work=lost_work_sentence(planned),
        begun=len(ledger.kept_steps),
        is_elsewhere=not options.is_embedded,
        launcher_note=LAUNCHER_NOTES[expansion.study.resources.launcher],
        compiles=compiles,
        missing_tools=missing_compile_tools(uses_gpus=uses_gpus) if compiles else (),
        offloads=any(request.gpus_per_worker and request.offloaded for arm in planned.arms for request in arm.requests),
    )


def _largest(estimated: Mapping[str, Estimate | EvaluationEstimate | None]) -> Estimate | EvaluationEstimate | None:
    """Return the estimate that needs most of the memory that its worker may take; None while one is not known."""
    known = [estimate for estimate in estimated.values() if estimate is not None]
    if not known or len(known) < len(estimated):
        return None
    return max(known, key=lambda each: each.memory.total / (each.resources.gpu_share or 1))


def _held(planned: Plan, ledger: Ledger, by_node: Mapping[str, Estimate | None]) -> int:
    """Sum what features and stages that are done hold of the study's need."""
    done = [planned.nodes[node] for node in ledger.done_nodes if node in planned.nodes]
    features = sum(node.bytes or 0 for node in done if node.kind == "features")
    stages = [by_node[node.id] for node in done if node.kind == "stage"]
    return features + sum(estimate.disk.handed_on for estimate in stages if estimate is not None)
