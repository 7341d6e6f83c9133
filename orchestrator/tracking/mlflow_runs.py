"""Find or make the runs of a study in MLflow: one for the study, and below it one per trial and one per arm.

Runs are found by their tags, never by name, and never made twice.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlflow.entities import Experiment, Metric, Run, RunTag

from orchestrator.reporting.summary import ArmSummary, TrialScores
from orchestrator.tracking.filter_language import has_tags, tag_field
from orchestrator.tracking.labels import legal_name
from orchestrator.tracking.mlflow_axes import AxisWriter, note_written
from orchestrator.tracking.mlflow_experiment import find_other_studies, settle_labels
from orchestrator.tracking.mlflow_server import MlflowServer
from orchestrator.tracking.study_note import study_note
from search_spaces.identity import fingerprint
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import tracked_names


@dataclass
class StudyRuns:
    """The runs of a study that has been opened on a server."""

    server: MlflowServer
    plan: Plan
    experiment: str
    """Id of the study's experiment."""
    parent: Run
    axes: AxisWriter
    other_studies: Mapping[str, str]
    """Experiment -> study, of the others on the server."""
    created: set[str] = field(default_factory=set)
    """Ids of runs of trials that this process has made, and to which nothing was written yet."""
    _without_model: set[str] = field(default_factory=set)
    """Ids of runs of trials that this process has made, and for which no driver has made a model since."""
    _trials: dict[str, Run] = field(default_factory=dict)
    """Trial -> its run, by the last search for them."""
    _searched_at: str | None = None
    """Last creation of a run before that search; None where all are to be searched again."""
    _summaries: dict[str, Run] = field(default_factory=dict)
    """Arm -> its run over all seeds, as far as they have been looked for."""

    def search(self, condition: str) -> list[Run]:
        return self.server.search_runs([self.experiment], condition)

    def without_parent(self) -> list[Run]:
        """Find the runs of trials and of arms."""
        return self.search(f"{tag_field(tracked_names.KIND)} != 'study'")

    def unfinished_trials(self) -> dict[str, str]:
        """Return trial -> run, of the runs that are open."""
        tags = {tracked_names.KIND: "trial", tracked_names.STUDY: self.plan.study}
        runs = self.search(f"{has_tags(tags)} and attributes.status = 'RUNNING'")
        return {run.data.tags[tracked_names.TRIAL]: str(run.info.run_id) for run in runs}

    def find_trial(self, trial: str) -> Run | None:
        tags = {tracked_names.KIND: "trial", tracked_names.STUDY: self.plan.study, tracked_names.TRIAL: trial}
        matches = self.search(has_tags(tags))
        return matches[0] if matches else None

    def find_or_create_trial(self, trial: PlannedTrial, started: int, *, anew: bool = False) -> Run:
        """Return a trial's run, made if it is not there. All runs are searched at once, and again once others made one.

        The caller holds the server's lock.

        Args:
            trial: the trial.
            started: milliseconds since the epoch, for a run that is made.
            anew: whether its run is searched in any case: one that was known has been deleted, or is not shown.
        """
        run = self._find_trial(trial.id, anew=anew)
        if run is None:
            creation = self.server.note_creation()
            self._searched_at = None  # where no answer comes, the run may have been made
            run = self._create_trial(trial, started)
            self._searched_at, self._trials[trial.id] = creation, run
            self.created.add(str(run.info.run_id))
            self._without_model.add(str(run.info.run_id))
        return run

    def may_have_model(self, run: str) -> bool:
        """Check whether a model of a run may be there, so that it must be looked for. The caller holds the lock."""
        is_alone = not self.server.is_shared and self._searched_at == self.server.last_creation()
        return not is_alone or run not in self._without_model

    def expect_model(self, run: str) -> None:
        """Note that a model of a run is about to be made, and tell other drivers. The caller holds the lock."""
        self._without_model.discard(run)
        is_alone = self._searched_at is not None and self._searched_at == self.server.last_creation()
        creation = self.server.note_creation()
        self._searched_at = creation if is_alone else self._searched_at

    def _find_trial(self, trial: str, *, anew: bool) -> Run | None:
        """Find a trial's run by the last search for all, as far as that may still be relied on, else by another one.

        What a search shows is there, even where the server then refuses to give it by its id.
        """
        if self._searched_at is None or self.server.last_creation() != self._searched_at:
            self._without_model.clear()  # another driver may have made models, too
            self._searched_at = self.server.last_creation()
            tags = {tracked_names.KIND: "trial", tracked_names.STUDY: self.plan.study}
            self._trials = {run.data.tags[tracked_names.TRIAL]: run for run in reversed(self.search(has_tags(tags)))}
            return self._trials.get(trial)
        known = self._trials.get(trial)
        if known is None and not anew and not self.server.is_shared:
            return None
        run = self.server.active_run(known.info.run_id) if known is not None and not anew else None
        return run or self.find_trial(trial)

    def _create_trial(self, trial: PlannedTrial, started: int) -> Run:
        tags = {
            tracked_names.KIND: "trial",
            tracked_names.TRIAL: trial.id,
            tracked_names.SEED: str(trial.seed),
            **self._version_tags(trial.arm),
        }
        tags |= self._child_tags()
        return self.server.create_run(self.experiment, f"{trial.arm} s{trial.seed}", tags, started)

    def link_other_studies(self, run: Run, trial: str) -> None:
        """Name in a tag the runs of an equal trial in other studies, and this one in theirs."""
        if not self.other_studies:
            return
        condition = has_tags({tracked_names.KIND: "trial", tracked_names.TRIAL: trial})
        twins = self.server.search_runs(list(self.other_studies), condition)
        own_links = json.loads(run.data.tags.get(tracked_names.ALSO_IN, "{}"))
        for twin in twins:
            twin_links = json.loads(twin.data.tags.get(tracked_names.ALSO_IN, "{}"))
            twin_links[self.plan.study] = run.info.run_id
            self.server.client.set_tag(twin.info.run_id, tracked_names.ALSO_IN, json.dumps(twin_links))
            own_links[self.other_studies[twin.info.experiment_id]] = twin.info.run_id
        if twins:
            self.server.client.set_tag(run.info.run_id, tracked_names.ALSO_IN, json.dumps(own_links))

    def write_summary(self, arm: ArmSummary, now_ms: int) -> None:
        """Write what an arm reaches over its seeds, as far as it has changed."""
        with self.server.lock:
            run = self._summary_run(arm.arm)
        metrics, params = self.axes.missing(run, self.axes.values[arm.arm])
        numbers = {legal_name(tracked_names.arm_metric(name)): value for name, value in arm.numbers.items()}
        new = {name: value for name, value in numbers.items() if run.data.metrics.get(name) != value}
        metrics += [Metric(name, value, now_ms, 0) for name, value in new.items()]
        if metrics or params:
            self.server.client.log_batch(run.info.run_id, metrics=metrics, params=params)
            note_written(run, metrics, params)

    def mark_versions(self) -> None:
        """Tag what is of the study as it is written now, and what no longer is; views show only the former.

        A trial that this plan lacks but that carries the study's digest lies beyond a limit, and stays.
        """
        arms = {trial.id: trial.arm for trial in self.plan.trials}
        for run in self.without_parent():
            tags = run.data.tags
            trial = tags.get(tracked_names.TRIAL, "")
            arm = tags[tracked_names.ARM_NAME]
            if tags[tracked_names.KIND] == "summary" and arm in self.axes.values:
                is_current = tags.get(tracked_names.SCORES) == scores_digest(self.plan, arm)
                wanted = self._version_tags(arm) if is_current else {tracked_names.CURRENT: "false"}
            elif trial in arms:
                wanted = self._version_tags(arms[trial])
                if tags.get(tracked_names.ARM_NAME) != arms[trial]:
                    seed = tags.get(tracked_names.SEED, "")
                    self.server.client.update_run(run.info.run_id, name=f"{arms[trial]} s{seed}")
            else:
                is_beyond_limit = tags.get(tracked_names.PLAN) == self.plan.digest
                wanted = {} if is_beyond_limit else {tracked_names.CURRENT: "false"}
            new = [RunTag(name, value) for name, value in wanted.items() if tags.get(name) != value]
            if new:
                self.server.client.log_batch(run.info.run_id, tags=new)

    def write_scores(self, trials: Mapping[str, TrialScores], now_ms: int) -> dict[str, tuple[str, TrialScores]]:
        """Make the newest values of finished trials those of the study as it is written now, where they are not.

        A trial may have been scored on other benchmarks since, by a version of the study that is no longer the current.

        Args:
            trials: id of a trial -> its scores.
            now_ms: milliseconds since the epoch.

        Returns trial -> its run and scores, where something was written.
        """
        written = {}
        tags = {tracked_names.KIND: "trial", tracked_names.STUDY: self.plan.study}
        for run in self.search(f"{has_tags(tags)} and attributes.status = 'FINISHED'"):
            trial = run.data.tags[tracked_names.TRIAL]
            if trial not in trials:
                continue
            numbers = {legal_name(name): value for name, value in trials[trial].metrics.items()}
            if new := {name: value for name, value in numbers.items() if run.data.metrics.get(name) != value}:
                points = [Metric(name, value, now_ms, 0) for name, value in new.items()]
                self.server.client.log_batch(run.info.run_id, metrics=points)
                written[trial] = (str(run.info.run_id), trials[trial])
        return written

    def write_base_values_of_new_axes(self) -> None:
        """Give runs from before an axis was added the base's value of it, those of arms since removed included."""
        arms = {trial.id: trial.arm for trial in self.plan.trials}
        base = self.axes.values.get(self.plan.base or "", {})
        for run in self.without_parent():
            tags = run.data.tags
            arm = tags[tracked_names.ARM_NAME]
            known = arm if arm in self.axes.values else arms.get(tags.get(tracked_names.TRIAL, ""))
            self.axes.write(run, base if known is None else self.axes.values[known])

    def _summary_run(self, arm: str) -> Run:
        if not self._summaries:
            tags = {tracked_names.KIND: "summary", tracked_names.STUDY: self.plan.study}
            runs = [run for run in self.search(has_tags(tags)) if run.data.tags.get(tracked_names.CURRENT) == "true"]
            self._summaries = {run.data.tags[tracked_names.ARM_NAME]: run for run in runs}
        if arm not in self._summaries:
            digest = scores_digest(self.plan, arm)
            tags = {tracked_names.KIND: "summary", tracked_names.SCORES: digest, **self._version_tags(arm)}
            tags |= self._child_tags()
            run = self.server.create_run(self.experiment, f"{arm} (mean)", tags)
            self.server.client.set_terminated(run.info.run_id, status="FINISHED")
            self._summaries[arm] = run
        return self._summaries[arm]

    def _version_tags(self, arm: str) -> dict[str, str]:
        return {
            tracked_names.ARM_NAME: arm,
            tracked_names.PLAN: self.plan.digest,
            tracked_names.CURRENT: "true",
        }

    def _child_tags(self) -> dict[str, str]:
        study = self.plan.study
        return {"mlflow.parentRunId": self.parent.info.run_id, tracked_names.STUDY: study, **_source_tags(study)}


def open_runs(server: MlflowServer, plan: Plan, experiment: Experiment) -> StudyRuns:
    """Find or make the study's run in its experiment and set it running; its other runs get what axes are new."""
    labels, experiment_id = settle_labels(server, experiment, plan), str(experiment.experiment_id)
    tags = {tracked_names.KIND: "study", tracked_names.STUDY: plan.study}
    parents = server.search_runs([experiment_id], has_tags(tags))
    more_tags = {**_source_tags(plan.study), "mlflow.note.content": study_note(plan, datetime.now(UTC))}
    parent = parents[0] if parents else server.create_run(experiment_id, plan.study, tags | more_tags)
    axes, others = AxisWriter(server.client, plan, labels), find_other_studies(server, experiment)
    runs = StudyRuns(server, plan, experiment_id, parent, axes, others)
    if parents and json.loads(parent.data.tags.get(tracked_names.AXES, "[]")) != list(plan.axes):
        runs.write_base_values_of_new_axes()
    if parents:
        runs.mark_versions()
    settled = {tracked_names.PLAN: plan.digest, tracked_names.AXES: json.dumps(plan.axes)}
    server.client.log_batch(  # last: whoever reads the axes may rely on all runs having them
        parent.info.run_id, tags=[RunTag(name, value) for name, value in settled.items()]
    )
    server.client.update_run(parent.info.run_id, status="RUNNING")
    return runs


def scores_digest(plan: Plan, arm: str) -> str:
    """Identify what an arm's numbers over its seeds are of: its trials, their stages, and the benchmarks."""
    trials = {trial.id: [node.key for node in trial.stage_nodes(plan)] for trial in plan.trials if trial.arm == arm}
    benchmarks = [
        plan.benchmark_keys.get(benchmark.id)
        or fingerprint({**benchmark.asked, "source": benchmark.source.model_dump(mode="json")})
        for benchmark in plan.benchmarks
    ]
    return fingerprint({"trials": trials, "benchmarks": benchmarks})[:16]


def _source_tags(study: str) -> dict[str, str]:
    return {
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": f"ablate run {study}",
        "mlflow.source.type": "LOCAL",
    }
