"""Name the metrics and tags of runs: in a trial's spool, and so on the tracking server.

Servers keep these names for as long as they keep runs, and people filter by them: a name is never changed.
"""

from __future__ import annotations

from typing import Literal

# ------------------------------------------------------------------------------------------------ metrics

STAGE = "stage"
"""Index of the stage that a step belongs to."""

TRAIN = "train/"
TRAIN_LOSS = "train/loss"
TRAIN_LR = "train/lr"
TRAIN_SAMPLES_PER_S = "train/samples_per_s"
TRAIN_MFU = "train/mfu"

BEST_TRAIN_LOSS = "best/train_loss"
BEST_STEP = "best/step"

EVAL_MEAN = "eval/mean"
"""Mean of the points of all benchmarks."""

COST = "cost/"
COST_GPU_SECONDS = "cost/gpu_seconds"
COST_GPU_SECONDS_ALONE = "cost/gpu_seconds_alone"
"""With all stages of its own, so that an arm is not cheap because others have trained its stages."""
COST_WALL_SECONDS = "cost/wall_seconds"

MEMORY = "memory/"
"""Peaks of the memory of stages."""

SYSTEM = "system/"
"""What the machine did, by seconds: metrics of a process, not of the training."""

ARM = "arm/"
ARM_MEAN = "arm/mean"
ARM_MEAN_LOW = "arm/mean_low"
ARM_MEAN_HIGH = "arm/mean_high"
ARM_SEEDS = "arm/seeds"
ARM_ORDER = "arm/order"


def evaluation_metric(benchmark: str, metric: str) -> str:
    return f"eval/{benchmark}/{metric}"


def evaluation_points(benchmark: str) -> str:
    """Name the points of a benchmark: 100 x the mean score of an example."""
    return evaluation_metric(benchmark, "points")


def samples_metric(samples: str, metric: str) -> str:
    """Name a metric of samples, which enters no mean."""
    return f"samples/{samples}/{metric}"


def blind_points(benchmark: str, images: str) -> str:
    """Name the points of a benchmark whose questions were asked with other images, which enter no mean.

    Args:
        benchmark: its id.
        images: what was shown: `blank` or `swapped`.
    """
    return f"blind/{benchmark}/{images}"


def cost_metric(name: str) -> str:
    return f"{COST}{name}"


def data_share(stage: str, source: str) -> str:
    """Name the share of a source in the records that a stage has drawn."""
    return f"data/{stage}/{source}"


def memory_metric(stage: str, name: str) -> str:
    """Name a peak of a stage's memory, in GB, of the rank with the most.

    Args:
        stage: its name.
        name: `reserved` and `allocated` by torch, or `planned`.
    """
    return f"{MEMORY}{stage}/{name}_gb"


def node_metrics(node: int) -> str:
    """Name the folder of metrics of one machine."""
    return f"{SYSTEM}node_{node}"


def axis_number(axis: str) -> str:
    """Name the number of a numeric axis, mirrored as a metric."""
    return f"cfg/{axis}"


def arm_metric(name: str) -> str:
    """Name a metric of an arm over its seeds."""
    return f"{ARM}{name}"


def study_metric(name: str) -> str:
    """Name a count of a study's run: `done`, `failed`, `eta_s`."""
    return f"study/{name}"


# ------------------------------------------------------------------------------------------------ tags of runs

RunKind = Literal["study", "trial", "summary"]
"""A study's run, and below it one for each trial and one for each arm over its seeds."""

KIND = "ablate.kind"
STUDY = "ablate.study"
TRIAL = "ablate.trial"
ARM_NAME = "ablate.arm"
SEED = "ablate.seed"

PLAN = "ablate.plan"
"""Digest of the study as it was written when the run was last part of it."""
CURRENT = "ablate.current"
"""`true` where the run is of the study as it is written now, else `false`: an arm, a seed or a value since removed."""
SCORES = "ablate.scores"
"""Of an arm over its seeds: digest of the trials, stages and benchmarks that its numbers are of."""
AXES = "ablate.axes"
"""Axes of which all runs have the value."""
ALSO_IN = "ablate.also_in"
"""Study -> run of the equal trial there."""
RETIRED = "ablate.retired"
"""Why a run was taken out of sight."""

DIVERGED = "ablate.diverged"
NON_FINITE = "ablate.non_finite"
"""The first value that is no number."""
LEFT_OUT = "ablate.left_out"
"""Of a trial that drops records whose images are lost: how many, by source and by how they may be lost."""
RESTARTED = "ablate.restarted"
"""Of a trial whose stage could not go on from its newest step checkpoint: from which step it did, and why."""
ERROR = "ablate.error"
ERROR_WHERE = "ablate.error_where"
"""Rank, host and GPU of the process that failed, as far as they are known."""
ERROR_LOG = "ablate.error_log"
"""Log of the process that failed."""
FAILED_ATTEMPTS = "ablate.failed_attempts"
"""How many attempts have failed, also where a later one has gone well."""
ERROR_CLASS = "ablate.error_class"
"""Kind of failure, `diverged`, or `none` once a later attempt has gone well."""

CHECKPOINT_URI = "ablate.checkpoint_uri"
"""Where the weights of the last stage are."""
CHECKPOINTS = "ablate.checkpoints"
"""Stage -> where its weights are."""

# ------------------------------------------------------------------------------------------------ tags of experiments

STORAGE = "ablate.storage"
"""Id of the storage that an experiment belongs to."""
LABELS = "ablate.labels"
"""Axis -> label -> how parameters spell it."""
DASHBOARD = "ablate.dashboard"
"""The version of this program that wrote the saved views, and their ids."""

# ------------------------------------------------------------------------------------------------ tags of linked data


def records_drawn(stage: str) -> str:
    return f"records.{stage}"


def share_drawn(stage: str) -> str:
    return f"share.{stage}"
