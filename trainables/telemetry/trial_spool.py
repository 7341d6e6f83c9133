"""Write a trial's metrics, data and artifacts to its spool, for the tracker. Steps are counted over all stages."""

from __future__ import annotations

import json
import math
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath

from search_spaces.identity import source_name
from search_spaces.worker_contract import Device
from trainables.package_versions import WORKER_PACKAGES, installed_versions
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import Curve, EvaluationResult, Resume, Resumes, StageResult, TrialResult
from trainables.storage.restarts import restart_sentence
from trainables.storage.spool import DataUse, Spool, is_of_machine, read_spool
from trainables.storage.store import Store
from trainables.task import Context, TrialTask
from trainables.telemetry.score_metrics import score_metrics
from trainables.telemetry.system_sampler import SystemSampler
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.history import Resumed

_KEPT_RESUMES = 100


class TrialSpool:
    """Writer of a trial's spool on rank 0, and of system metrics of each other node in a spool of its own.

    An attempt that resumes from a checkpoint repeats steps whose records were written before, and replays those of the
    checkpoint. What the spool has is left out: the history has one point per step.

    Args:
        task: the trial.
        store: storage of the spools.
        context: rank of this worker; only rank 0 and the first worker of another node write.
    """

    def __init__(self, task: TrialTask, store: Store, context: Context) -> None:
        self._task, self._store = task, store
        self._lock = threading.Lock()
        enabled, name = context.rank == 0, layout.spool(task.study, task.id)
        if not enabled:
            name = layout.node_spool(task.study, task.id, context.rank)
        self._past = _Past(store, name)
        self._has_result = store.exists(layout.trial_result(task.study, task.id))
        self._spool = Spool(store, name) if enabled else None
        self._sampler: SystemSampler | None = None
        self._node_spool: Spool | None = None
        if enabled or context.is_first_of_node:
            self._node_spool = self._spool or Spool(store, name)
            self._sampler = SystemSampler(context.rank, self._system).start()

    def begin(self) -> None:
        task = self._task
        device: Device = "cuda" if task.stages[0].resources.gpus_per_worker else "cpu"
        configs = {
            spec.name: deepspeed_config(spec, order.resources, device)
            for spec, order in zip(task.trial.stages, task.stages, strict=True)
        }
        self._artifact("spec.json", task.trial.as_json())
        self._artifact("deepspeed.json", json.dumps(configs, indent=1))
        packages = installed_versions(WORKER_PACKAGES)
        environment = {"python": platform.python_version(), "machine": platform.machine(), "packages": packages}
        self._artifact("environment.json", json.dumps(environment, indent=1))
        self._write(status="RUNNING")

    def metrics(self, stage_index: int, step: int, values: Mapping[str, float]) -> None:
        """Write metrics of an optimizer step, unless an earlier attempt has written them.

        Args:
            stage_index: position of the stage in the trial, from 0.
            step: optimizer step of the stage.
            values: by metric.
        """
        global_step = sum(stage.steps for stage in self._task.stages[:stage_index]) + step
        if values and global_step not in self._past.steps:
            self._write(step=global_step, metrics={**values, tracked_names.STAGE: float(stage_index)})
            self._past.observe(global_step, values)

    def resumed(self, stage_index: int, resumed: Resumed) -> None:
        """Write what a stage's checkpoint has logged, and note where the stage goes on.

        The steps of a checkpoint are not trained again. Another trial may have written it, and an attempt may have been
        killed after it was written and before its step was.

        Args:
            stage_index: position of the stage in the trial, from 0.
            resumed: where it goes on.
        """
        if self._spool is not None:
            name = layout.trial_resumes(self._task.study, self._task.id)
            before = read_or_redo(self._store, name, Resumes) or Resumes(())
            now = Resume(resumed.stage, resumed.step, int(time.time() * 1000), resumed.passed_over)
            write(self._store, name, Resumes((*before.resumes, now)[-_KEPT_RESUMES:]))
            if now.passed_over:
                self._write(tags={tracked_names.RESTARTED: restart_sentence(now)})
        for step, metrics in resumed.history:
            self.metrics(stage_index, step + 1, metrics)

    def replay(self, stage_index: int, key: str) -> None:
        """Write what was logged of a stage that another trial, or an earlier attempt, has trained."""
        stored = read_or_redo(self._store, layout.stage_curve(key), Curve) or Curve(())
        metrics: Sequence[Mapping[str, float]] = stored.metrics
        if len(metrics) != len(stored.curve):
            metrics = [{tracked_names.TRAIN_LOSS: loss, tracked_names.TRAIN_LR: rate} for _, loss, rate in stored.curve]
        for (step, _, _), values in zip(stored.curve, metrics, strict=True):
            self.metrics(stage_index, step + 1, values)

    def end(
        self,
        result: TrialResult,
        stages: list[StageResult],
        scores: dict[str, EvaluationResult],
        *,
        is_standing: bool = False,
    ) -> None:
        """Write data, scores and cost, then the final status. One value each, at step 0: MLflow draws them as bars.

        An attempt that was killed behind this and before the trial's result has written them already: what it has
        written is left out, and its cost stands, being that of the work. A trial that goes on after its result, as the
        study asks for more, writes what has changed.

        Args:
            result: the trial's.
            stages: results of its stages, in their order.
            scores: evaluations by the name of what was asked.
            is_standing: whether the result is that of an earlier attempt, to which this one has added nothing: its cost
                stands, too.
        """
        self._has_result = self._has_result and not is_standing
        if self._sampler is not None:
            self._sampler.close()  # its last record comes before the status, which is the last of all
        data = [*_training_data(self._task, stages), *_evaluation_data(self._task, scores)]
        if data != self._past.data:
            self._write(data=data)
        values = score_metrics(self._task.benchmarks, self._task.samples, self._task.blind, scores)
        values |= {
            tracked_names.cost_metric(key): value
            for key, value in {**asdict(result.cost), **self._costs(stages)}.items()
        }
        values |= {**_shares(self._task, stages), **_memory(stages), **self._past.best}
        values = {key: value for key, value in values.items() if math.isfinite(value) and self._is_new(key, value)}
        if values:
            self._write(step=0, metrics=values)
        for name, score in scores.items():
            if score.images == "own":
                self._write(artifact={"name": f"examples/{name}.parquet", "path": score.examples})
        diverged = {tracked_names.DIVERGED: str(result.diverged).lower()}
        self._write(tags=diverged | _left_out(self._task, stages))
        self._write(status="FINISHED")

    def close(self) -> None:
        if self._sampler is not None:
            self._sampler.close()
        if self._node_spool is not None:
            self._node_spool.close()

    def _is_new(self, metric: str, value: float) -> bool:
        """Check whether a value at the end of the trial is not in the spool yet."""
        known = self._past.at_end.get(metric)
        if known is not None and metric.startswith(tracked_names.COST) and not self._has_result:
            return False
        return known != value

    def _costs(self, stages: list[StageResult]) -> dict[str, float]:
        seconds = sum(stage.gpu_seconds for stage in stages)
        weighted = sum(stage.samples_per_second * stage.gpu_seconds for stage in stages)
        costs = {"restarts": float(self._past.attempts), "samples_per_s": weighted / seconds if seconds else math.nan}
        on_gpus = [stage.memory for stage in stages if stage.memory is not None and stage.memory.allocated is not None]
        if on_gpus:
            costs["peak_memory_gb"] = max(memory.reserved for memory in on_gpus) / 1e9
        elif self._sampler is not None:
            costs["peak_memory_gb"] = self._sampler.peak_memory_gb()
        if self._past.queue_wait_s is not None:
            costs["queue_wait_s"] = self._past.queue_wait_s
        return costs

    def _system(self, seconds: float, values: dict[str, float]) -> None:
        """Write a sample, in the sampler's thread. Its step is the seconds since the trial's first attempt began."""
        with self._lock:
            if self._node_spool is not None:
                self._node_spool.write(step=round(self._past.age_s + seconds), metrics=values)

    def _artifact(self, name: str, text: str) -> None:
        self._write(artifact={"name": name, "text": text})

    def _write(self, **fields: object) -> None:
        with self._lock:
            if self._spool is not None:
                self._spool.write(**fields)


class _Past:
    """Records of earlier attempts in a spool, summed up, and the best loss so far."""

    def __init__(self, store: Store, name: str) -> None:
        now = time.time()
        self.attempts, self.age_s = 0, 0.0
        self.steps: set[int] = set()
        """Those with metrics: global optimizer steps, over all stages."""
        self.at_end: dict[str, float] = {}
        """Metrics of the trial as a whole, at step 0, as they were last written."""
        self.data: list[DataUse] = []
        self.best: dict[str, float] = {}
        self.queue_wait_s = _queue_wait_s(store, name, now)
        """From the hand-out to this attempt's begin: the group may have had to start first."""
        for number, (_, line) in enumerate(read_spool(store, name) if store.exists(name) else ()):
            self.age_s = self.age_s or (now - line["ts"] / 1000 if number == 0 else 0.0)
            self.attempts += line.get("status") == "RUNNING"
            self.data = line.get("data", self.data)
            if "step" in line and not is_of_machine(line):
                self.observe(line["step"], line.get("metrics", {}))

    def observe(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take note of a record that is in the spool."""
        if step == 0:
            self.at_end |= metrics
            return
        self.steps.add(step)
        loss = metrics.get(tracked_names.TRAIN_LOSS, math.nan)
        if loss < self.best.get(tracked_names.BEST_TRAIN_LOSS, math.inf):
            self.best = {tracked_names.BEST_TRAIN_LOSS: loss, tracked_names.BEST_STEP: float(step)}


def _queue_wait_s(store: Store, spool: str, now: float) -> float | None:
    """Compute the seconds since the trial's task was written, which is when it was started; None without a task."""
    task = str(PurePosixPath(spool).with_name("task.json"))
    return max(0.0, now - store.facts(task).modified) if store.exists(task) else None


def _shares(task: TrialTask, stages: list[StageResult]) -> dict[str, float]:
    """Compute the share of each source in the records that each stage has drawn."""
    shares: dict[str, float] = {}
    for spec, stage in zip(task.trial.stages, stages, strict=True):
        counts = stage.counts
        names = {source_name(part.source): part.source.name for part in spec.data.parts}
        for name, count in counts.items():
            key = tracked_names.data_share(spec.name, names[name])
            shares[key] = shares.get(key, 0.0) + count / max(1, sum(counts.values()))
    return shares


def _memory(stages: list[StageResult]) -> dict[str, float]:
    """Return the peaks of each stage's memory in GB, as torch counted and as the plan expected."""
    return {
        tracked_names.memory_metric(stage.name, name): size / 1e9
        for stage in stages
        if stage.memory is not None
        for name, size in asdict(stage.memory).items()
        if size is not None
    }


def _left_out(task: TrialTask, stages: list[StageResult]) -> dict[str, str]:
    """Make the tag of the records that stages drop as their images are lost; no tag where none may be dropped so.

    It is also written of no records: an earlier attempt may have dropped some.
    """
    counts: dict[str, int] = {}
    for spec, stage in zip(task.trial.stages, stages, strict=True):
        for source in (part.source for part in spec.data.parts if part.source.without):
            name = f"{source.declared} ({' or '.join(source.without)})"
            counts[name] = stage.left_out.get(source_name(source), 0)
    return {tracked_names.LEFT_OUT: ", ".join(f"{name}: {count}" for name, count in counts.items())} if counts else {}


def _training_data(task: TrialTask, stages: list[StageResult]) -> list[DataUse]:
    """List each source once, with the number and share of records that every stage has drawn from it."""
    tags: dict[str, dict[str, str]] = {}
    for stage in stages:
        total = sum(stage.counts.values()) or 1
        for name, records in stage.counts.items():
            share = {tracked_names.share_drawn(stage.name): f"{records / total:.4f}"}
            tags.setdefault(name, {}).update({tracked_names.records_drawn(stage.name): str(records), **share})
    return [DataUse(name=n, digest=task.digests.get(n, ""), context="training", tags=t) for n, t in tags.items()]


def _evaluation_data(task: TrialTask, scores: dict[str, EvaluationResult]) -> list[DataUse]:
    return [
        DataUse(
            name=benchmark.id,
            digest=task.digests.get(source_name(benchmark.source), ""),
            context="evaluation",
            tags={"examples": str(scores[benchmark.id].n), "protocol": scores[benchmark.id].protocol},
        )
        for benchmark in (*task.benchmarks, *task.samples)
        if benchmark.id in scores
    ]
