"""`ablate submit`: run a study as a job of a Ray cluster."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.manifest import RenderOptions, RunWords, manifest
from orchestrator.commands.option_groups import flags_of, takes_groups
from orchestrator.commands.options import (
    JsonOption,
    SelectionOptions,
    StudyArgument,
    console,
    print_json,
)
from orchestrator.commands.running_options import PolicyOptions, WorkOptions
from orchestrator.own_command import named_anywhere, own_command
from orchestrator.settings import chosen_root
from search_spaces.credentials import has_credentials, without_credentials
from search_spaces.errors import InputError

STUDY_FILE = "study.yaml"


@takes_groups
def submit(
    context: typer.Context,
    study: StudyArgument,
    *,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            envvar="ABLATE_STORAGE",
            help="Storage root as the cluster's nodes see it (default of --render: the profile's, whatever the variable"
            " says).",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", envvar="RAY_API_SERVER_ADDRESS", help="The cluster's dashboard, http://HEAD:8265."),
    ] = None,
    selection: SelectionOptions,
    policy: PolicyOptions,
    work: WorkOptions,
    python: Annotated[
        str | None,
        typer.Option(
            "--python",
            metavar="PATH",
            help="Python of the job, on the head (default: found there: Ray's own, python3 or python).",
        ),
    ] = None,
    rendering: RenderOptions,
    job_id: Annotated[str | None, typer.Option("--id", help="The job's id (default: made by Ray).")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the job's output until it ends.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Send a study to a running Ray cluster as a job. Submitting it again resumes it."""
    import yaml

    from cluster.demand import read_may_come, write_may_come
    from cluster.interfaces import nccl_settings
    from cluster.job_client import job_client
    from cluster.job_python import find_python
    from cluster.submit import commands, follow, submit_job, working_folder
    from orchestrator.planning.named_study import named_study
    from search_spaces.expansion.expand import plan_study

    if policy.may_come is not None:  # the job does not see a profile of this machine
        policy = replace(policy, may_come=write_may_come(read_may_come(policy.may_come)))
    if rendering.render is not None and not _is_on_the_command_line(context, "storage"):
        storage = None
    if rendering.render is None and rendering.profile is not None:
        raise InputError("must come with --render", key="--profile")
    if address is None and rendering.render is None:
        raise InputError("must be given, or RAY_API_SERVER_ADDRESS", key="--address", way_out="http://HEAD:8265")
    if (storage is None and rendering.render is None) or not Path(storage or "/").is_absolute():
        raise InputError(
            f"must be an absolute path that every node of the cluster sees, but got {storage!r}", key="--storage"
        )
    if policy.tracking_uri is not None and has_credentials(policy.tracking_uri):
        raise InputError(
            "must be an address without a password, as whoever sees the cluster's dashboard reads the commands of jobs,"
            f" but got {policy.tracking_uri}",
            key="--tracking-uri",
            way_out="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the"
            " environment of the cluster's nodes.",
        )
    work.limits()
    work.rehearsals(toy=selection.toy)
    policy.storage_patience_s()  # all three refuse options that do not go together
    seen_here = chosen_root(Path(storage) if storage is not None else None)
    loaded = named_study(study, seen_here, selection.overrides or ())
    plan = plan_study(loaded, toy=selection.toy)  # what is wrong with the study is said here, not in the job's log
    resolved = {key: value for key, value in loaded.document.value.items() if key != "extends"}
    text = yaml.safe_dump(resolved, sort_keys=False)
    of_study = flags_of(replace(selection, overrides=None))  # the study that is sent has them
    if rendering.render is not None:
        run = RunWords(storage, selection.overrides or (), [*of_study, *flags_of(policy), *flags_of(work)])
        print(manifest(rendering, plan, study, text, run), end="")
        return
    assert address is not None
    assert storage is not None
    further = ["--storage", storage, *flags_of(policy), *flags_of(work)]
    head = find_python(job_client(address), address, python, partial(print, file=sys.stderr))
    entrypoint = [head.path, "-m", "orchestrator", "run", STUDY_FILE, *of_study, *further]
    metadata = {"study": loaded.study, "submitter": os.environ.get("USER", "")}
    with working_folder({STUDY_FILE: text}) as folder:
        job = submit_job(
            address,
            folder,
            shlex.join(entrypoint),
            job_id=job_id,
            metadata=metadata,
            variables=nccl_settings(os.environ),
        )
    if as_json:
        print_json({"job": job.id, "address": without_credentials(job.address), "study": loaded.study})
    else:
        lines = [f"{loaded.study} is the job {job.id} of {without_credentials(job.address)}"]
        lines += [f"  it runs in {head.path}, Python {head.version} of the head"]
        lines += [f"  to {purpose}: {command}" for purpose, command in commands(job)]
        where = ["--storage", storage]
        status = own_command("status", named_anywhere(study), *flags_of(selection), *where)
        lines += [f"  to see how far it is, where {storage} is mounted: {status}"]
        if policy.tracking_uri is not None:
            lines += [f"  to compare its trials in MLflow: {policy.tracking_uri}"]
        elif not policy.offline:
            lines += [f"  its trials go to the MLflow database in {storage}: at its end it says how to open that"]
        at = ["--address", without_credentials(job.address), *(["--python", python] if python else [])]
        at += [] if wait else ["--no-wait"]
        again = own_command("submit", named_anywhere(study), *flags_of(selection), *further, *at)
        lines += [f"  to resume it: {again}"]
        console().print("\n".join(lines), soft_wrap=True)
    if wait:
        out = sys.stderr if as_json else sys.stdout
        raise typer.Exit(follow(job, lambda text: print(text, end="", file=out, flush=True)))


def _is_on_the_command_line(context: typer.Context, parameter: str) -> bool:
    """Check whether an option was given in this command, and not by a variable, which is of this machine."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"
