"""Talk to the dashboard of a Ray cluster, which takes jobs. What it refuses is said in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from search_spaces.error_text import first_line
from search_spaces.errors import InputError

_USED = re.compile(r"Job with submission_id (\S+) already exists")


def job_client(address: str) -> Any:
    """Connect to a cluster's dashboard.

    Returns:
        Ray's client, which has no types.

    Raises:
        InputError: if nothing answers there, if the token is not the cluster's, or if its Ray is another version.
    """
    import ray
    from ray.job_submission import JobSubmissionClient

    with plain_refusals(address):
        client = JobSubmissionClient(address)
    theirs = client._server_ray_version  # read when it connects; Ray has no public way to it
    if theirs is not None and theirs != ray.__version__:
        raise InputError(
            f"the cluster must run the Ray of this environment, {ray.__version__}, but it runs {theirs}",
            place=address,
            way_out="Start the cluster from an environment with this project's packages.",
        )
    return client


@contextmanager
def plain_refusals(address: str) -> Iterator[None]:
    """Raise what a dashboard refuses inside the block, or does not answer, as an InputError of one sentence.

    Args:
        address: URL of the dashboard.
    """
    from ray.exceptions import AuthenticationError

    try:
        yield
    except InputError:  # says what is wrong already
        raise
    except AuthenticationError as error:
        raise InputError(
            "the cluster wants another token than this environment gives",
            place=address,
            way_out="Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN (or ~/.ray/auth_token) to the cluster's own.",
        ) from error
    except OSError as error:  # also of the library for HTTP
        raise InputError(
            f"the cluster's dashboard must be reachable, but {_said(error)}",
            place=address,
            key="--address",
            way_out="It is usually http://HEAD:8265. Is the cluster running?",
        ) from error
    except (RuntimeError, ValueError) as error:
        if used := _USED.search(str(error)):
            raise InputError(
                f"must be new to the cluster, but a job has the id {used[1]} already",
                key="--id",
                way_out="Give another, or leave it out: Ray then makes one. Results are found by storage, not by id.",
            ) from error
        raise InputError(f"the cluster must take the job, but {_said(error)}", place=address) from error


def _said(error: Exception) -> str:
    """Return what an error says in one line: of a traceback of the cluster's, its last one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and "Traceback (most recent call last)" in str(error):
        return lines[-1].rstrip(".")
    return first_line(error)
