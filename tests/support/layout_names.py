"""Make an example of every name that the layout of a storage makes."""

from __future__ import annotations

import inspect

from trainables.storage import layout

KEY = "0123456789abcdef" * 4
FOLDERS = {
    "stage_folder": "weights",
    "checkpoints": "checkpoints",
    "features_folder": "features",
    "data_folder": "data",
    "pictures_folder": "pictures",
    "evaluation_folder": "evaluations",
    "evaluation_answers": "answers",
    "study_folder": "studies",
    "trial_folder": "trials",
    "trials": "trials",
    "runs": "runs",
    "run_folder": "runs",
    "lease_folder": "leases",
    "claims_folder": "studies",
    "looks_folder": "studies",
    "smaller_batches": "studies",
    "trial_attempts": "trials",
    "superseded": "superseded",
    "superseded_trials": "superseded",
}
"""Functions of the layout that name folders."""
READERS = ("step_of_checkpoint",)
"""Functions of the layout that read a name."""
PARTS_OF_NAMES = ("trial_lease", "run_lease", "evaluation_lease", "trial_leases", "run_leases", "node_spools")


def values_of(name: str) -> dict[str, str | int]:
    """Give a value to each parameter of a function of the layout; `node_spools` takes names, and has none."""
    values: dict[str, str | int] = {"rank": 1, "step": 2, "seconds": 1_700_000_000, "module": "projector", "number": 1}
    values["folder"] = layout.stage_folder(KEY)
    if name in ("task_in", "result_in"):
        values["folder"] = layout.trial_folder("s", "t")
    if name == "owner_in":
        values["folder"] = f"{layout.PREPARING}/n"
    parameters = inspect.signature(getattr(layout, name)).parameters
    return {parameter: values.get(parameter, KEY) for parameter in parameters if parameter != "names"}


def example(name: str) -> str:
    """Make a name with a function of the layout."""
    return str(getattr(layout, name)(**values_of(name)))


FUNCTIONS = [
    name
    for name, function in inspect.getmembers(layout, inspect.isfunction)
    if function.__module__ == layout.__name__ and name not in (*FOLDERS, *PARTS_OF_NAMES, *READERS)
]
