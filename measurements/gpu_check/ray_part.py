"""Check two trials of a shipped study through Ray: each on the GPU, the second in the processes of the first."""

from __future__ import annotations

from pathlib import Path

from cluster.fit import usable_cpus, visible_gpus
from measurements.gpu_check.part import Figures
from measurements.gpu_check.planned import Setting
from measurements.toy_trials import STUDY, run_toy_trials
from search_spaces.expansion.toy_resources import Machine

_CHANGES = ("resources.gpus_per_worker=1", "recipe.finetune.precision=bf16")
_TRIALS = 2


def run_two_trials(setting: Setting) -> Figures:
    """Run the first two trials of a study at toy size, one after the other; on a machine without a GPU, on its CPU."""
    storage = Path(setting.storage) / "ray"
    storage.mkdir()
    run = run_toy_trials(storage, _CHANGES, cpus=1, most=_TRIALS, machine=Machine(usable_cpus(), visible_gpus()))
    return {
        "study": STUDY,
        "gpus_per_worker": run.plan.arms[0].resources.gpus_per_worker,
        "trials_done": len(run.outcomes.done),
        "groups_started": run.outcomes.groups_started,
        "groups_reused": run.outcomes.groups_reused,
        "first_work_s": [run.first_work[trial] - at for trial, at in run.starts.items() if trial in run.first_work],
        "wall_s": run.wall_s,
    }
