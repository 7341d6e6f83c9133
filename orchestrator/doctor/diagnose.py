"""Gather facts within time limits, and put them to all checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.doctor.ask import ask_all, ask_apart
from orchestrator.doctor.checks import AREAS, CHECKS, FactsName
from orchestrator.doctor.facts import MachineFacts, StorageFacts, StudyFacts, Unanswered
from orchestrator.doctor.findings import Finding, State
from orchestrator.doctor.machine_facts import cluster_facts, embedded_facts, machine_facts, package_facts
from orchestrator.doctor.storage_facts import storage_facts, tracking_facts
from orchestrator.doctor.study_facts import study_facts
from orchestrator.planning.planned import PlanOptions

STUDY_TIMES = 10
"""A plan of 100,000 arms takes longer than a server may."""

Answers = Mapping[FactsName, Any]

WITHOUT_ANSWER: Mapping[FactsName, tuple[State, str, str | None]] = {
    "machine": ("unknown", "the machine", None),
    "packages": ("unknown", "the list of packages", None),
    "embedded": ("unknown", "what Ray needs to start", None),
    "cluster": ("fails", "the cluster", "Is it running? Unset RAY_ADDRESS, or give --address local."),
    "storage": ("fails", "the storage", "Does `ls` of it return? A network file system may be away, or its server."),
    "tracking": ("fails", "the tracking server", "Start the server, or use --offline: `ablate sync` sends later."),
    "study": ("unknown", "the study", "Give it longer with --within."),
}
"""State, subject and way out where facts could not be gathered."""


def diagnose(
    study: str | None, options: PlanOptions, tracking_uri: str | None, *, offline: bool, within_s: float
) -> list[Finding]:
    """Find out what a run would meet.

    Args:
        study: a study file, or the name of a shipped study; None for none.
        options: of the command line.
        tracking_uri: of the server; None for the database embedded in the storage.
        offline: whether no tracking server is asked.
        within_s: seconds that the storage, the cluster and the server may each take to answer.
    """
    return judge(gather(study, options, tracking_uri, offline=offline, within_s=within_s))


def gather(
    study: str | None, options: PlanOptions, tracking_uri: str | None, *, offline: bool, within_s: float
) -> Answers:
    """Gather the facts of every area; those of the storage first, so that nothing disturbs how it is timed."""
    storage = ask_apart(lambda: storage_facts(options.storage), StorageFacts, within_s)
    is_away = isinstance(storage, Unanswered)
    is_unusable = isinstance(storage, Unanswered) or storage.error is not None
    if not offline:
        import orchestrator.tracking.mlflow_connect  # noqa: F401  # takes seconds, which no server is to blame for
    calls: dict[FactsName, Callable[[], Any]] = {"machine": machine_facts, "packages": package_facts}
    if options.is_embedded:
        calls["embedded"] = embedded_facts
    else:
        calls["cluster"] = lambda: cluster_facts(options.address)
    if not offline and not (is_unusable and tracking_uri is None):
        calls["tracking"] = lambda: tracking_facts(tracking_uri, options.storage)
    if study is not None and not is_away:
        calls["study"] = lambda: study_facts(study, options)
    longer: dict[FactsName, float] = {"study": STUDY_TIMES * within_s}
    answers: dict[FactsName, Any] = {"storage": storage, **ask_all(calls, within_s, longer)}
    if study is not None and is_away:
        answers["study"] = Unanswered("was not read: its storage gives no answer")
    return _with_devices(answers)


def _with_devices(answers: dict[FactsName, Any]) -> Answers:
    """Tell the facts of a study how much memory a worker, or on CPUs all of them, can have and lock."""
    study, machine = answers.get("study"), answers["machine"]
    if not isinstance(study, StudyFacts) or not isinstance(machine, MachineFacts):
        return answers
    gpus = [gpu.memory_bytes for gpu in machine.gpus]
    has = (int(study.gpu_share * min(gpus)) if gpus else None) if study.uses_gpus else machine.memory_bytes
    return {**answers, "study": replace(study, device_bytes=has, locked_limit_bytes=machine.locked_limit_bytes)}


def judge(answers: Answers) -> list[Finding]:
    """Put facts to all checks, in the order of `CHECKS`; of what was not asked nothing is said."""
    findings, silent = list[Finding](), set[FactsName]()
    for check in CHECKS.values():
        facts = answers.get(check.of)
        if isinstance(facts, Unanswered):
            if check.of not in silent:
                silent.add(check.of)
                state, subject, way_out = WITHOUT_ANSWER[check.of]
                findings.append(Finding(AREAS[check.of], state, f"{subject} {facts.reason}", way_out))
        elif facts is not None and (finding := check.judge(facts)) is not None:
            findings.append(finding)
    return findings
