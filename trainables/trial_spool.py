"""What a trial tells the tracking server, in the words of its spool. Steps run on over the stages of a trial."""

from __future__ import annotations

import json
import math
import platform
from importlib import metadata

from search_spaces.identity import source_name
from trainables import layout
from trainables.deepspeed_config import deepspeed_config
from trainables.records import EvaluationResult, Spool, TrialResult, read_spool
from trainables.store import LocalStore, get_json
from trainables.task import TrialTask

_PACKAGES = ("torch", "deepspeed", "transformers", "timm", "ray", "mlflow", "pyarrow", "pillow", "numpy")


class TrialSpool:
    """Writer of one trial's spool on rank 0; on other ranks it does nothing.

    An attempt that goes on from a checkpoint repeats steps whose records were written before. They are equal, so they
    are left out: the history has one point per step.
    """

    def __init__(self, task: TrialTask, store: LocalStore, enabled: bool) -> None:
        self._task, self._store = task, store
        path = store.path(layout.spool(task.study, task.id))
        self._last_step = _last_step(store, task) if enabled else -1
        self._spool = Spool(path) if enabled else None

    def begin(self) -> None:
        task, device = self._task, "cuda" if self._task.stages[0].resources.gpus_per_worker else "cpu"
        configs = {
            spec.name: deepspeed_config(spec, order.resources, device)
            for spec, order in zip(task.trial.stages, task.stages, strict=True)
        }
        self._artifact("spec.json", task.trial.model_dump_json(indent=1))
        self._artifact("deepspeed.json", json.dumps(configs, indent=1))
        versions = {name: metadata.version(name) for name in _PACKAGES}
        environment = {"python": platform.python_version(), "machine": platform.machine(), "packages": versions}
        self._artifact("environment.json", json.dumps(environment, indent=1))
        self._write(status="RUNNING")

    def metrics(self, stage_index: int, step: int, values: dict[str, float]) -> None:
        """Metrics of optimizer step `step` of a stage."""
        global_step = sum(stage.steps for stage in self._task.stages[:stage_index]) + step
        if values and global_step > self._last_step:
            self._write(step=global_step, metrics={**values, "stage": float(stage_index)})

    def replay(self, stage_index: int, key: str) -> None:
        """The curve of a stage that another trial has trained: it is this trial's, too."""
        for step, loss, lr in (get_json(self._store, f"{layout.stage_folder(key)}/curve.json") or {"curve": []})[
            "curve"
        ]:
            self.metrics(stage_index, int(step) + 1, {"train/loss": loss, "train/lr": lr})

    def end(self, result: TrialResult, scores: dict[str, EvaluationResult]) -> None:
        """Scores and cost, then the final status. One value each, at step 0: MLflow draws such metrics as bars."""
        values = {f"eval/{name}/{key}": value for name, s in scores.items() for key, value in s["metrics"].items()}
        if scores:
            values["eval/mean"] = sum(s["points"] for s in scores.values()) / len(scores)
        values |= {f"cost/{key}": value for key, value in result["cost"].items()}
        values |= self._shares()
        self._write(step=0, metrics={key: value for key, value in values.items() if math.isfinite(value)})
        for name, score in scores.items():
            self._write(artifact={"name": f"examples/{name}.parquet", "path": score["examples"]})
        self._write(tags={"ablate.diverged": str(result["diverged"]).lower()})
        self._write(status="FINISHED")

    def _shares(self) -> dict[str, float]:
        """Share of each source in the records of each stage's mix, as drawn."""
        shares: dict[str, float] = {}
        for spec, order in zip(self._task.trial.stages, self._task.stages, strict=True):
            counts = (get_json(self._store, layout.stage_result(order.key)) or {"counts": {}})["counts"]
            names = {source_name(part.source): part.source.name for part in spec.data.parts}
            for name, count in counts.items():
                key = f"data/{spec.name}/{names[name]}"
                shares[key] = shares.get(key, 0.0) + count / max(1, sum(counts.values()))
        return shares

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _artifact(self, name: str, text: str) -> None:
        self._write(artifact={"name": name, "text": text})

    def _write(self, **fields: object) -> None:
        if self._spool is not None:
            self._spool.write(**fields)


def _last_step(store: LocalStore, task: TrialTask) -> int:
    path = store.path(layout.spool(task.study, task.id))
    if not path.exists():
        return -1
    return max((line["step"] for _, line in read_spool(path) if "step" in line), default=-1)
