"""Plan the study of the check on a storage of its own, with its changes, and make the task of its trial."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from measurements.gpu_check.forms import Form
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import preflight
from orchestrator.running.tasks import make_task
from search_spaces.sizes import ModelSize
from search_spaces.study_files import load_study
from search_spaces.worker_contract import Device
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.trial_data import TrialData

STUDY_FILE = Path(__file__).with_name("study.yaml")


@dataclass(frozen=True)
class PlannedTrial:
    """Trial of the check, ready to be run in this process."""

    task: TrialTask
    size: ModelSize
    context: Context
    store: LocalStore
    data: TrialData


@dataclass(frozen=True)
class Setting:
    """What all parts of a check share."""

    form: Form
    device: Device
    data: Path
    """Folder with the data that `made_data` has written."""
    storage: Path
    overrides: tuple[str, ...] = ()
    """The user's own changes to the study, as `--set` takes them."""

    def planned(self, *overrides: str) -> PlannedTrial:
        """Plan the trial of the study with further changes; features of images are computed, never cached."""
        gpus = {"cpu": ("resources.gpus_per_worker=0",), "cuda": ()}[self.device]
        changes = (*self.form.study, *gpus, *overrides, *self.overrides)
        options = PlanOptions(self.storage, self.data, changes, features="stream")
        expansion = expand(load_study(str(STUDY_FILE), options.overrides), options)
        store = LocalStore(self.storage)
        known = preflight(expansion.specs(), expansion.evaluation_sets, store, self.data, lambda text: None)
        planned = plan(expansion, options, known)
        size = planned.arms[0].size
        assert size is not None, "the study gives the shape of all of its models"
        task = make_task(planned, planned.trials[0], known.digests, self.storage, self.data)
        return PlannedTrial(task, size, Context(device=self.device), store, TrialData(task, store))
