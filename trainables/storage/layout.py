"""Name every file and folder below the storage root; nothing else builds their names.

digests.json                              content digests of data and weights, cached by path, size and mtime
checked-weights.json                      weights whose headers were found to fit, by path, size and mtime
checked-questions.json                    questions that were found to be askable, by what they are and who is asked
encoders.json                             facts of encoders that are in no catalogue, by name and version of timm
languages.json                            facts of language models that were given by their origin
text-lengths.json                         lengths of the texts of sources in tokens, from `ablate data stats`
data/<digest>/                            a prepared source: records.arrow, images.arrow, result.json
pictures/<digest>/                        the distinct pictures of one or several sources: bytes.arrow, places.arrow
preparing/<nonce>/                        one that is being read; owner.json names by whom
problems/<source>.txt                     images that the last reading of a source could not use
features/<key>/                           features of a frozen encoder: features.npy, rows.sha256, result.json
features/<key>.aside/<nonce>/             while one producer computes them: owner.json, and what it has in features/
stages/<key>/                             a trained stage: <module>.safetensors, curve.json, result.json (written last)
stages/<key>/checkpoints/<step>-<format>/ while it trains, with manifest.json (written last); removed at its end
stages/<key>/checkpoints/writing.aside/   <nonce>/: owner.json, and the checkpoint that is being written
evaluations/<key>/<benchmark>.parquet     scores per example; <benchmark>.json is written last
evaluations/<key>/<benchmark>.answers/    answers so far, while it is being scored
<folder of any of these>/damaged.json     what somebody found damaged in it, until it is made again
<folder or file>.broken-<nonce>.aside     what was damaged, set aside when it was made again; nothing reads it
studies/<study>/study.yaml, plan.json     the resolved study and its plan
studies/<study>/noise.json                scores of the base over seeds, from `ablate noise`
studies/<study>/report.json               the report of a study, shown again until something changes
studies/<study>/finished.json             what trials of a large study have come to, while their files stay as they are
studies/<study>/ray.log                   what Ray and Tune have logged in the drivers of its runs
studies/<study>/claims/, looks/           <digest>.json: hypotheses as they were written, and looks at their results
studies/<study>/added-seeds.json          seeds that `run --until-decided` has added to those of the study file
studies/<study>/smaller-batches/          <shape>.json: how much fits at once where more ran out of memory
studies/<study>/trials/<trial>/           spec.json, task.json, spool.jsonl, node-<n>.jsonl, rank-<n>.log,
                                          result.json or failure.json, tried-again.json, resumes.json
studies/<study>/trials/<trial>/attempts/  <number>.json: failures that were followed by another attempt
studies/<study>/rehearsals/<shape>/       rank-<n>.log of a shape of trials whose rehearsal failed
rehearsals/<proof>.json                   shapes that were rehearsed, by program and hardware: not again
runs/<study>/<nonce>/                     run.json: who runs or ran a study; stop.json: who wants that run to end
leases/<key>/, trials/<study>/<trial>/    who is producing what: <nonce>.json (`trainables.storage.lease`)
leases/evaluations/<key>/                 who evaluates the model that a stage has trained
leases/runs/<study>/<nonce>/              which runs go on
sources/                                  the user's own data, unless --data names another folder
scratch/<nonce>                           what tries out whether storage can be written to; rehearsal-<nonce>/: a
                                          storage of its own for the rehearsals of a run, removed before its trials
tracking/mlflow.db, artifacts/            the embedded MLflow store; mlflow.db.<schema> is that of an older MLflow
tracking/unclosed-runs/<study>/           <nonce>: marks a driver that has not closed its runs on a tracking server
tracking/storage-id, storage-id.copy      name this storage to tracking servers that several storages share
tracking/offsets/<server>/<study>/        <trial>.json: how much of its spool that server has
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from search_spaces.names import inside, part


def stage_folder(key: str) -> str:
    return f"stages/{part(key)}"


def stage_result(key: str) -> str:
    return f"stages/{part(key)}/result.json"


def stage_curve(key: str) -> str:
    return f"stages/{part(key)}/curve.json"


def module_weights(folder: str, module: str) -> str:
    """Name the weights of a module that a stage has trained, in the folder of that stage."""
    return f"{inside(folder)}/{part(module)}.safetensors"


def checkpoints(key: str) -> str:
    return f"stages/{part(key)}/checkpoints"


def step_checkpoint(key: str, step: int) -> str:
    """Name the checkpoint of a stage at a step; names sort by their steps.

    Args:
        key: of the stage.
        step: optimizer steps that are done.
    """
    return f"{checkpoints(key)}/{step:08d}-{CHECKPOINT_FORMAT}"


def step_of_checkpoint(folder: str) -> int | None:
    """Read the optimizer steps in the name of a checkpoint's folder; None where it is of another format, or aside."""
    steps, _, version = folder.partition("-")
    return int(steps) if version == str(CHECKPOINT_FORMAT) and steps.isdecimal() else None


def unfinished_checkpoints(key: str) -> str:
    """Name the folder of checkpoints that are being written, each in a folder of its own."""
    return f"{checkpoints(key)}/writing.aside"


def unfinished_folder(key: str, nonce: str) -> str:
    return f"{unfinished_checkpoints(key)}/{part(nonce)}"


def unfinished_checkpoint(key: str, nonce: str) -> str:
    return f"{unfinished_folder(key, nonce)}/checkpoint"


def features_folder(key: str) -> str:
    return f"features/{part(key)}"


def features_result(key: str) -> str:
    return f"features/{part(key)}/result.json"


def features_array(key: str) -> str:
    return f"features/{part(key)}/features.npy"


def features_rows(key: str) -> str:
    """Name the digests of all rows of the features, one after another."""
    return f"features/{part(key)}/rows.sha256"


def features_aside(key: str) -> str:
    """Name the folder in which features are computed, by each producer in a folder of its own, until they are whole."""
    return f"features/{part(key)}.aside"


def features_producer(key: str, nonce: str) -> str:
    """Name the folder of one producer of features."""
    return f"{features_aside(key)}/{part(nonce)}"


def features_in_progress(key: str, nonce: str) -> str:
    """Name the folder that one producer of features fills, which gets the name of the whole ones at the end."""
    return f"{features_producer(key, nonce)}/features"


def rows_in_progress(key: str, nonce: str) -> str:
    """Name the digests of the rows that one producer of features has computed."""
    return f"{features_in_progress(key, nonce)}/rows.sha256"


def features_result_in_progress(key: str, nonce: str) -> str:
    """Name the result of features that are whole and have not got their name yet."""
    return f"{features_in_progress(key, nonce)}/result.json"


def damage_mark(folder: str) -> str:
    """Name the record of what was found damaged in a folder of one artifact."""
    return f"{inside(folder)}/damaged.json"


def set_aside(name: str, nonce: str) -> str:
    """Name what a damaged folder or file is renamed to before it is made again.

    Args:
        name: of the folder or file.
        nonce: that nothing else was set aside with.
    """
    return f"{inside(name)}.broken-{part(nonce)}.aside"


def data_folder(digest: str) -> str:
    return f"data/{part(digest)}"


def data_result(digest: str) -> str:
    """Name the manifest of a prepared source: written last, so that a source is prepared only if it is there."""
    return f"data/{part(digest)}/result.json"


def data_records(digest: str) -> str:
    return f"data/{part(digest)}/records.arrow"


def data_images(digest: str) -> str:
    """Name the list of a source's images: their keys, and their rows among its pictures."""
    return f"data/{part(digest)}/images.arrow"


def pictures_folder(digest: str) -> str:
    return f"pictures/{part(digest)}"


def pictures_bytes(digest: str) -> str:
    return f"pictures/{part(digest)}/bytes.arrow"


def pictures_places(digest: str) -> str:
    """Name the list that says where in `pictures_bytes` the picture of each row lies."""
    return f"pictures/{part(digest)}/places.arrow"


def data_problems(source: str) -> str:
    """Name the list of images that the last reading of a source could not use."""
    return f"problems/{part(source)}.txt"


def evaluation_folder(key: str) -> str:
    return f"evaluations/{part(key)}"


def evaluation_result(key: str, benchmark: str) -> str:
    return f"evaluations/{part(key)}/{part(benchmark)}.json"


def evaluation_examples(key: str, benchmark: str) -> str:
    return f"evaluations/{part(key)}/{part(benchmark)}.parquet"


def evaluation_answers(key: str, benchmark: str) -> str:
    return f"evaluations/{part(key)}/{part(benchmark)}.answers"


def study_folder(study: str) -> str:
    return f"studies/{part(study)}"


def trial_folder(study: str, trial: str) -> str:
    return f"studies/{part(study)}/trials/{part(trial)}"


def driver_log(study: str) -> str:
    """Name the log of Ray and Tune in the driver, which is kept from the terminal."""
    return f"studies/{part(study)}/ray.log"


def trial_leases(study: str) -> str:
    """Name the folder of the leases on a study's trials, below that of all leases."""
    return f"trials/{part(study)}"


def run_leases(study: str) -> str:
    """Name the folder of the leases of a study's runs, below that of all leases."""
    return f"runs/{part(study)}"


def trial_lease(study: str, trial: str) -> str:
    """Name the lease on a trial: one run at a time works on it."""
    return f"{trial_leases(study)}/{part(trial)}"


def evaluation_lease(key: str) -> str:
    """Name the lease on the evaluation of the model that a stage trains last; `key`: of that stage."""
    return f"evaluations/{part(key)}"


def lease_folder(name: str) -> str:
    return f"{LEASES}/{inside(name)}"


def spool(study: str, trial: str) -> str:
    return f"studies/{part(study)}/trials/{part(trial)}/spool.jsonl"


def node_spool(study: str, trial: str, rank: int) -> str:
    """Name the spool of system metrics of a node without rank 0.

    Args:
        study: name of the study.
        trial: id of the trial.
        rank: of the node's first worker.
    """
    return f"studies/{part(study)}/trials/{part(trial)}/node-{rank}.jsonl"


def node_spools(names: Iterable[str]) -> list[str]:
    """Select the spools of nodes without rank 0 from the files of a trial's folder."""
    return sorted(name for name in names if PurePosixPath(name).match("node-*.jsonl"))


def worker_log(study: str, trial: str, rank: int) -> str:
    """Name the log of a worker of a trial.

    Args:
        study: name of the study.
        trial: id of the trial.
        rank: of the worker.
    """
    return f"studies/{part(study)}/trials/{part(trial)}/rank-{rank}.log"


def trial_task(study: str, trial: str) -> str:
    """Name the task of a trial's workers: written by the driver just before it starts the trial."""
    return task_in(trial_folder(study, trial))


def task_in(folder: str) -> str:
    """Name the task in the folder of a trial, or of one that was superseded."""
    return f"{inside(folder)}/task.json"


def trial_result(study: str, trial: str) -> str:
    return result_in(trial_folder(study, trial))


def result_in(folder: str) -> str:
    """Name the result in the folder of a trial, or of one that was superseded."""
    return f"{inside(folder)}/result.json"


def trial_resumes(study: str, trial: str) -> str:
    """Name the record of where the attempts of a trial have begun its stages."""
    return f"studies/{part(study)}/trials/{part(trial)}/resumes.json"


def trial_failure(study: str, trial: str) -> str:
    return f"studies/{part(study)}/trials/{part(trial)}/failure.json"


def tried_again(study: str, trial: str) -> str:
    """Name the record of the last failure of a trial that a run has tried again."""
    return f"studies/{part(study)}/trials/{part(trial)}/tried-again.json"


def trial_attempts(study: str, trial: str) -> str:
    """Name the folder of a trial's failures that were followed by another attempt: `<number>.json`, from 1."""
    return f"studies/{part(study)}/trials/{part(trial)}/attempts"


def trial_attempt(study: str, trial: str, number: int) -> str:
    """Name the record of one of a trial's failures that were followed by another attempt.

    Args:
        study: name of the study.
        trial: id of the trial.
        number: of the attempt, from 1.
    """
    return f"{trial_attempts(study, trial)}/{number:04d}.json"


def superseded(study: str, trial: str, key: str, seconds: int) -> str:
    """Name the folder that a trial's folder is moved to when its data have changed.

    Args:
        study: name of the study.
        trial: id of the trial.
        key: of the last stage that was trained on the old data.
        seconds: when it is moved, since the epoch.
    """
    return f"{superseded_trials(study)}/{part(trial)}-{part(key)}-{seconds}"


def superseded_trials(study: str) -> str:
    return f"studies/{part(study)}/superseded"


def trials(study: str) -> str:
    return f"studies/{part(study)}/trials"


def study_file(study: str) -> str:
    """Name the file of the resolved study, YAML."""
    return f"studies/{part(study)}/study.yaml"


def plan_file(study: str) -> str:
    return f"studies/{part(study)}/plan.json"


def runs(study: str) -> str:
    """Name the folder of records of a study's runs, also of those that were refused before the study had a folder."""
    return f"{RUNS}/{part(study)}"


def run_folder(study: str, nonce: str) -> str:
    """Name the folder of the records of one run."""
    return f"{runs(study)}/{part(nonce)}"


def run_record(study: str, nonce: str) -> str:
    return f"{run_folder(study, nonce)}/run.json"


def stop_request(study: str, nonce: str) -> str:
    """Name the request to end a run."""
    return f"{run_folder(study, nonce)}/stop.json"


def run_lease(study: str, nonce: str) -> str:
    """Name the lease that a run holds from its beginning to its end."""
    return f"{run_leases(study)}/{part(nonce)}"


def kept_report(study: str) -> str:
    """Name the report of a study, with a digest of what it rests on."""
    return f"studies/{part(study)}/report.json"


def finished_trials(study: str) -> str:
    """Name the record of the finished trials of a large study, by size and time of their files."""
    return f"studies/{part(study)}/finished.json"


def noise_floor(study: str) -> str:
    """Name the record of what a study's base scores with each of several seeds."""
    return f"studies/{part(study)}/noise.json"


def claims_folder(study: str) -> str:
    """Name the folder of records of a study's hypotheses, each written once."""
    return f"studies/{part(study)}/claims"


def claims_file(study: str, digest: str) -> str:
    return f"{claims_folder(study)}/{part(digest)}.json"


def looks_folder(study: str) -> str:
    """Name the folder of records of looks at a study's results, each written once."""
    return f"studies/{part(study)}/looks"


def looks_file(study: str, digest: str) -> str:
    return f"{looks_folder(study)}/{part(digest)}.json"


def smaller_batches(study: str) -> str:
    """Name the folder of what was learned where work of the study ran out of memory."""
    return f"studies/{part(study)}/smaller-batches"


def smaller_batch(study: str, shape: str) -> str:
    return f"{smaller_batches(study)}/{part(shape)}.json"


def rehearsal(proof: str) -> str:
    """Name the record of a rehearsal that went well."""
    return f"rehearsals/{part(proof)}.json"


def rehearsal_scratch(nonce: str) -> str:
    """Name the scratch storage of the rehearsals of a run."""
    return scratch(f"{REHEARSAL}{part(nonce)}")


def failed_rehearsal(study: str, shape: str) -> str:
    """Name the folder of the logs of a shape whose rehearsal failed last."""
    return f"studies/{part(study)}/rehearsals/{part(shape)}"


def rehearsal_log(study: str, shape: str, rank: int) -> str:
    """Name the log of a worker of a rehearsal that failed.

    Args:
        study: name of the study.
        shape: of its trials.
        rank: of the worker.
    """
    return f"{failed_rehearsal(study, shape)}/rank-{rank}.log"


def added_seeds(study: str) -> str:
    """Name the record of seeds that were added to those of the study file."""
    return f"studies/{part(study)}/added-seeds.json"


def upload_offset(server: str, study: str, trial: str) -> str:
    """Name the record of how much of a trial's spool a tracking server has.

    Args:
        server: identifies the server.
        study: name of the study.
        trial: id of the trial.
    """
    return f"tracking/offsets/{part(server)}/{part(study)}/{part(trial)}.json"


def unclosed_runs(study: str) -> str:
    """Name the folder of marks of drivers that have not closed their runs of a study on a tracking server."""
    return f"tracking/unclosed-runs/{part(study)}"


def unclosed_mark(study: str, nonce: str) -> str:
    """Name the mark of one driver that has not closed its runs: it goes on, or was killed."""
    return f"{unclosed_runs(study)}/{part(nonce)}"


def owner_in(folder: str) -> str:
    """Name the record of the process that works in a folder (`trainables.storage.work_folders`)."""
    return f"{inside(folder)}/{OWNER}"


def preparing(nonce: str) -> str:
    """Name the folder in which one process prepares a source."""
    return f"{PREPARING}/{part(nonce)}"


def scratch(nonce: str) -> str:
    """Name a file that tries out whether storage can be written to: removed at once, never read by another."""
    return f"{SCRATCH}/{part(nonce)}"


SOURCES = "sources"
"""Folder of the user's own data where no other is given: read, and never written to or removed."""
CHECKPOINT_FORMAT = 3
"""Of the files in a step checkpoint, part of its name. The first were pickles; those of the second were cut by the
number of workers and the ZeRO stage, and only such a group could read them."""
MANIFEST = "manifest.json"
"""File in a step checkpoint that tells whether it is whole."""
DIGESTS = "digests.json"
ENCODERS = "encoders.json"
CHECKED_WEIGHTS = "checked-weights.json"
CHECKED_QUESTIONS = "checked-questions.json"
LANGUAGES = "languages.json"
TEXT_LENGTHS = "text-lengths.json"
LEASES = "leases"
OWNER = "owner.json"
REHEARSAL = "rehearsal-"
"""Beginning of the names of scratch storages of rehearsals."""
RUNS = "runs"
SCRATCH = "scratch"
STUDIES = "studies"
PREPARING = "preparing"
TRACKING = "tracking"
TRACKING_DATABASE = "tracking/mlflow.db"
TRACKING_ARTIFACTS = "tracking/artifacts"
STORAGE_ID = "tracking/storage-id"
STORAGE_ID_COPY = "tracking/storage-id.copy"
UPLOAD_OFFSETS = "tracking/offsets"
