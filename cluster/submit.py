"""Submit a study as a job of a running Ray cluster: a folder with the code and the study, and a command to run."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.connect import PACKAGES, package_folder
from cluster.job_client import job_client, plain_refusals
from search_spaces.credentials import without_credentials
from search_spaces.error_text import first_line
from search_spaces.errors import InputError

LARGEST_PACKAGE_BYTES = 5_000_000
"""Most bytes of a job's package, which travels to every node: code and a study, never data or environments."""


@dataclass(frozen=True)
class Job:
    """A submitted job."""

    id: str
    address: str
    """Of the cluster's dashboard."""


@contextmanager
def working_folder(files: Mapping[str, str]) -> Iterator[Path]:
    """Make a folder with our packages and some files beside them (name -> text) while the block runs.

    Raises:
        InputError: if it is larger than `LARGEST_PACKAGE_BYTES`.
    """
    with tempfile.TemporaryDirectory(prefix="ablate-job-") as scratch:
        folder = Path(scratch)
        for name in PACKAGES:
            shutil.copytree(package_folder(name), folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if size > LARGEST_PACKAGE_BYTES:
            raise InputError(
                f"the package of a job must have at most {LARGEST_PACKAGE_BYTES:,} bytes, but has {size:,}",
                way_out="Is there something large among the installed packages of this project?",
            )
        yield folder


def submit_job(
    address: str,
    folder: Path,
    entrypoint: str,
    *,
    job_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Job:
    """Send a folder to a cluster and start a command in it.

    Args:
        address: URL of the cluster's dashboard.
        folder: with code and a study.
        entrypoint: command line, run in the folder.
        job_id: of the new job; None lets Ray choose one.
        metadata: kept with the job.
        variables: of the environment of the job and of all its workers.

    Raises:
        InputError: if the cluster cannot be reached or refuses the job.
    """
    client = job_client(address)
    with plain_refusals(address):
        submitted = client.submit_job(
            entrypoint=entrypoint,
            submission_id=job_id,
            runtime_env={"working_dir": str(folder), **({"env_vars": dict(variables)} if variables else {})},
            metadata=dict(metadata or {}),
        )
    return Job(submitted, client.get_address())


def follow(job: Job, write: Callable[[str], None]) -> int:
    """Pass on what a job writes until it ends. Returns its exit code, 1 if it was stopped or its node died.

    Raises:
        InputError: if the dashboard goes before the job ends, which may go on without it.
    """
    client = job_client(job.address)

    async def pass_on() -> None:
        async for text in client.tail_job_logs(job.id):
            write(text)

    try:
        asyncio.run(pass_on())
        info = client.get_job_info(job.id)
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"the cluster's dashboard must answer until the job ends, but {first_line(error)}",
            place=job.address,
            way_out=f"The job {job.id} may go on: `ablate status` shows it. If the head is gone, submit it again.",
        ) from error
    code = info.driver_exit_code
    if code is not None:
        return int(code)
    return 0 if info.status == "SUCCEEDED" else 1


def commands(job: Job) -> Sequence[tuple[str, str]]:
    """List what a user may want to do with a job next: (purpose, command)."""
    at = ["--address", without_credentials(job.address), job.id]
    follow, stop = ["ray", "job", "logs", "--follow", *at], ["ray", "job", "stop", *at]
    return [("follow it", shlex.join(follow)), ("stop it", shlex.join(stop))]
