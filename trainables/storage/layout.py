"""Where everything lives below the storage root. One home for each name; nothing else builds paths.

digests.json                              content digests of data and weights, cached by path, size and mtime
encoders.json                             facts of encoders that are in no catalogue, by name and version of timm
data/<digest>/                            a prepared source: records.arrow, images.arrow, result.json
preparing/<nonce>/                        one that is being read; owner.json tells by whom
problems/<source>.txt                     images that the last reading of a source could not use
features/<key>/                           features of a frozen encoder: features.npy, result.json
stages/<key>/                             a trained stage: <module>.safetensors, curve.json, result.json (written last)
stages/<key>/checkpoints/<step>/          while it trains; removed at its end
evaluations/<key>/<benchmark>.parquet     scores per example; <benchmark>.json is written last
evaluations/<key>/<benchmark>.answers/    answers so far, while it is being scored
studies/<study>/study.yaml, plan.json     what was asked for
studies/<study>/trials/<trial>/           spec.json, task.json, spool.jsonl, node-<n>.jsonl, rank-<n>.log,
                                          result.json or failure.json
leases/<key>/, trials/<study>/<trial>/    who is producing what: <nonce>.json (`trainables.storage.lease`)
scratch/<nonce>/                          Ray Tune's own files while a run lasts
tracking/mlflow.db, artifacts/            the embedded MLflow store
tracking/storage-id                       names this storage to tracking servers that several storages share
tracking/offsets/<server>/<study>/        <trial>.json: how much of its spool that server has
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath


def stage_folder(key: str) -> str:
    return f"stages/{key}"


def stage_result(key: str) -> str:
    return f"stages/{key}/result.json"


def stage_curve(key: str) -> str:
    return f"stages/{key}/curve.json"


def checkpoints(key: str) -> str:
    return f"stages/{key}/checkpoints"


def features_folder(key: str) -> str:
    return f"features/{key}"


def features_result(key: str) -> str:
    return f"features/{key}/result.json"


def data_folder(digest: str) -> str:
    return f"data/{digest}"


def data_result(digest: str) -> str:
    """Format and counts of a prepared source: written last, so that a source is prepared only if it is there."""
    return f"data/{digest}/result.json"


def data_problems(source: str) -> str:
    """Every missing or broken image that the last reading of a source found."""
    return f"problems/{source}.txt"


def evaluation_result(key: str, benchmark: str) -> str:
    return f"evaluations/{key}/{benchmark}.json"


def evaluation_examples(key: str, benchmark: str) -> str:
    return f"evaluations/{key}/{benchmark}.parquet"


def evaluation_answers(key: str, benchmark: str) -> str:
    return f"evaluations/{key}/{benchmark}.answers"


def study_folder(study: str) -> str:
    return f"studies/{study}"


def trial_folder(study: str, trial: str) -> str:
    return f"studies/{study}/trials/{trial}"


def driver_log(study: str) -> str:
    """What Ray and Tune say in the driver: kept from the terminal, there when something must be understood."""
    return f"studies/{study}/ray.log"


def trial_lease(study: str, trial: str) -> str:
    """Name of the lease on a trial's folder: one run at a time works on a trial."""
    return f"trials/{study}/{trial}"


def lease_folder(name: str) -> str:
    return f"{LEASES}/{name}"


def spool(study: str, trial: str) -> str:
    return f"studies/{study}/trials/{trial}/spool.jsonl"


def node_spool(study: str, trial: str, rank: int) -> str:
    """What another node than rank 0's tells of itself, by the rank of its first worker."""
    return f"studies/{study}/trials/{trial}/node-{rank}.jsonl"


def node_spools(names: Iterable[str]) -> list[str]:
    """Pick, of the files of a trial's folder, what other nodes tell of themselves."""
    return sorted(name for name in names if PurePosixPath(name).match("node-*.jsonl"))


def worker_log(study: str, trial: str, rank: int) -> str:
    return f"studies/{study}/trials/{trial}/rank-{rank}.log"


def trial_task(study: str, trial: str) -> str:
    """What the trial's workers are to do: written by the driver just before it hands the trial out."""
    return f"studies/{study}/trials/{trial}/task.json"


def trial_result(study: str, trial: str) -> str:
    return f"studies/{study}/trials/{trial}/result.json"


def trial_failure(study: str, trial: str) -> str:
    return f"studies/{study}/trials/{trial}/failure.json"


def superseded(study: str, trial: str, key: str, seconds: int) -> str:
    """Where the folder of a trial goes whose data changed: with the key of its last stage, and when it went there."""
    return f"{superseded_trials(study)}/{trial}-{key}-{seconds}"


def superseded_trials(study: str) -> str:
    return f"studies/{study}/superseded"


def trials(study: str) -> str:
    return f"studies/{study}/trials"


def study_file(study: str) -> str:
    """The resolved study, as YAML."""
    return f"studies/{study}/study.yaml"


def plan_file(study: str) -> str:
    return f"studies/{study}/plan.json"


def upload_offset(server: str, study: str, trial: str) -> str:
    return f"tracking/offsets/{server}/{study}/{trial}.json"


def scratch(nonce: str) -> str:
    """What Ray Tune wants to write during one run; removed at its end, nothing is ever read from it."""
    return f"scratch/{nonce}"


DIGESTS = "digests.json"
ENCODERS = "encoders.json"
LEASES = "leases"
STUDIES = "studies"
PREPARING = "preparing"
TRACKING = "tracking"
TRACKING_DATABASE = "tracking/mlflow.db"
TRACKING_ARTIFACTS = "tracking/artifacts"
STORAGE_ID = "tracking/storage-id"
