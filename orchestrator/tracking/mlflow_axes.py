"""Write the axes of a study into runs in MLflow.

Only what varies goes in as parameters, so that MLflow's comparison of runs is short; numeric axes are mirrored as
metrics, because MLflow sorts parameters as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run

from orchestrator.analysis.numeric_axes import numeric_axes
from orchestrator.tracking.labels import legal_name
from search_spaces.plan import Plan
from trainables.storage import tracked_names


class AxisWriter:
    """Writes the values that arms have on the axes of a plan.

    Args:
        client: of the server that has the runs.
        plan: the study's plan.
        labels: axis -> label -> its spelling in parameters.
    """

    def __init__(self, client: MlflowClient, plan: Plan, labels: Mapping[str, Mapping[str, str]]):
        self._client, self._labels = client, labels
        self._numbers = numeric_axes(plan)
        self.values: dict[str, dict[str, str]] = {arm.name: arm.values for arm in plan.arms}
        """Arm -> axis -> label."""

    def params(self, values: Mapping[str, str]) -> dict[str, str]:
        """Spell labels of axes as parameters."""
        return {legal_name(axis): self._labels.get(axis, {}).get(label, label) for axis, label in values.items()}

    def write(self, run: Run, values: Mapping[str, str], seed: int | None = None) -> None:
        """Write parameters and mirrored numbers that the run lacks; those it has can never be changed.

        Args:
            run: as last read from the server; what is written is noted in it.
            values: axis -> label.
            seed: of the trial; None for a run over seeds.
        """
        new_metrics, new_params = self.missing(run, values, seed)
        if new_params or new_metrics:
            self._client.log_batch(run.info.run_id, metrics=new_metrics, params=new_params)
            note_written(run, new_metrics, new_params)

    def missing(self, run: Run, values: Mapping[str, str], seed: int | None = None) -> tuple[list[Metric], list[Param]]:
        """List the mirrored numbers and the parameters that a run lacks; the arguments are those of `write`."""
        params = self.params(values) | ({} if seed is None else {"seed": str(seed)})
        new_params = [Param(name, value) for name, value in params.items() if name not in run.data.params]
        new_metrics = [
            Metric(name, value, run.info.start_time, 0)
            for name, value in self._mirrored(values).items()
            if name not in run.data.metrics
        ]
        return new_metrics, new_params

    def _mirrored(self, values: Mapping[str, str]) -> dict[str, float]:
        return {
            legal_name(tracked_names.axis_number(axis)): self._numbers[axis][label]
            for axis, label in values.items()
            if label in self._numbers.get(axis, {})
        }


def note_written(run: Run, metrics: Sequence[Metric], params: Sequence[Param]) -> None:
    """Note in a run what was written to it since it was read."""
    run.data.params.update({param.key: param.value for param in params})
    run.data.metrics.update({metric.key: metric.value for metric in metrics})
