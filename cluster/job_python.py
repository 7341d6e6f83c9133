"""Find the Python on a cluster's head that can run this program, before a study is sent.

The command of a job is run by a shell that has whatever PATH the head was started with: often one without `python`. So
a job of a second looks for an interpreter and lists the versions of its packages.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from cluster.job_client import plain_refusals
from search_spaces.error_text import first_line
from search_spaces.errors import InputError

DISTRIBUTION = "ablate-vlm"
OLDEST = (3, 11)

ANSWER_WITHIN_S = 120.0
"""A head starts a process for a job first."""

STOP_WITHIN_S = 10.0
"""Ray kills the process of a job that is stopped after three."""

POLL_EVERY_S = 0.3

RAYLET = "$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$PPID/status)"
OF_RAY = f"$(tr '\\0' '\\n' < /proc/{RAYLET}/cmdline | sed -n 's/^--python_worker_command=\\([^ ]*\\) .*/\\1/p')"
"""Shell words for the interpreter that Ray's own workers run in: the shell's parent is one, a child of the raylet."""

MOST_NAMED = 5
"""Packages that are named of those which are not there."""

MARK = "ablate-python "

LOOK = f"""
import json, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
packages = {{name: version(name) for name in sys.argv[1:]}}
print({MARK!r} + json.dumps({{"path": sys.executable, "python": list(sys.version_info[:3]), "packages": packages}}))
"""


@dataclass(frozen=True)
class HeadPython:
    """An interpreter on the head."""

    path: str
    python: tuple[int, ...]
    packages: dict[str, str | None] = field(default_factory=dict)
    """Name of a distribution -> its version; None where it is not installed."""

    @property
    def version(self) -> str:
        """Its own version."""
        return ".".join(map(str, self.python))

    def lacks(self, requirements: Sequence[Requirement]) -> list[str]:
        """List what it has not of this project's requirements, in whatever version."""
        told = [] if self.python[:2] >= OLDEST else [f"it is {self.version} and not 3.11 or newer"]
        missing = [each.name for each in requirements if self.packages.get(each.name) is None]
        if missing:
            more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
            told.append(f"it has no {', '.join(missing[:MOST_NAMED])}{more}")
        return told

    def differs(self, requirements: Sequence[Requirement]) -> list[str]:
        """List the packages that it has in another version than this project requires."""
        told = []
        for requirement in requirements:
            version = self.packages.get(requirement.name)
            if version is not None and not _is_met(requirement, version):
                told.append(f"{requirement.name} {version} is not {requirement.specifier}")
        return told


def _is_met(requirement: Requirement, version: str) -> bool:
    """Return whether a version is what is required; one that is not written as PEP 440 says, as of vendors, is not."""
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def requirements() -> list[Requirement]:
    """List the packages that this project requires; where it is not installed itself, Ray as it is here."""
    try:
        listed = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        return [Requirement(f"ray=={metadata.version('ray')}")]
    return [each for each in listed if each.marker is None or each.marker.evaluate({"extra": ""})]


def find_python(client: Any, address: str, given: str | None, tell: Callable[[str], None]) -> HeadPython:
    """Find an interpreter on the head that has what this project requires.

    Of one that is given, whose vendor may have built packages in versions of its own, only that of Ray is required.

    Args:
        client: of the cluster's dashboard.
        address: URL of it.
        given: name or path of the only one to try; None for Ray's own, then `python3` and `python` of the head's PATH.
        tell: shows a sentence about other versions to people.

    Raises:
        InputError: if there is none, naming what each lacks.
    """
    wanted = requirements()
    found = read_answers(_run(client, address, look_command(given, [each.name for each in wanted])))
    pinned = wanted if given is None else [each for each in wanted if each.name == "ray"]
    unmet = [(python, [*python.lacks(wanted), *python.differs(pinned)]) for python in found]
    fit = next((python for python, told in unmet if not told), None)
    if fit is not None:
        if differing := fit.differs(wanted):
            tell(f"{fit.path} of the head has versions that were not tried: {', '.join(differing)}")
        return fit
    if found:
        lacks = "; ".join(f"of {python.path}, {', '.join(told)}" for python, told in unmet)
        law = f"the Python of the head must have this project's packages, but {lacks}"
        way_out = "Name that of an environment which has them with --python PATH, or install them there."
        raise InputError(law, place=address, key="--python", way_out=way_out)
    tried = given or "Ray's own, python3 and python"
    law = f"a Python must be found on the head, but none of these could be started there: {tried}"
    way_out = "Name it: --python /path/on/the/head/bin/python"
    raise InputError(law, place=address, key="--python", way_out=way_out)


def look_command(given: str | None, names: Sequence[str]) -> str:
    """Write the shell command that has interpreters list the versions of their packages, one line each.

    Args:
        given: the only interpreter; None for those that a head usually has.
        names: of the packages.
    """
    candidates = [shlex.quote(given)] if given is not None else [f'"{OF_RAY}"', "python3", "python"]
    look = f'"$python" -c {shlex.quote(LOOK)} {shlex.join(names)}'
    return f'for python in {" ".join(candidates)}; do command -v "$python" > /dev/null && {look}; done; true'


def read_answers(log: str) -> list[HeadPython]:
    """Read the interpreters that have answered, each once, in the order in which they were tried."""
    answers = [json.loads(line.removeprefix(MARK)) for line in log.splitlines() if line.startswith(MARK)]
    found = [HeadPython(answer["path"], tuple(answer["python"]), answer["packages"]) for answer in answers]
    return list({python.path: python for python in found}.values())


def _run(client: Any, address: str, command: str) -> str:
    """Run a command on the head as a job of its own, which leaves the list of jobs again. Returns what it has said."""
    with plain_refusals(address):
        job = client.submit_job(entrypoint=command, submission_id=f"ablate-look-{secrets.token_hex(4)}")
        try:
            if not _has_ended(client, job, ANSWER_WITHIN_S):
                law = f"the head must start a job, but within {ANSWER_WITHIN_S:.0f} s it did not: {_state(client, job)}"
                raise InputError(law, place=address, way_out="Has it free memory, and what do its logs say?")
            if client.get_job_status(job) != "SUCCEEDED":
                law = f"the head must run a job, but one of a second did not succeed: {_state(client, job)}"
                raise InputError(law, place=address, way_out="What do the logs of Ray on the head say?")
            return str(client.get_job_logs(job))
        finally:
            _remove(client, job)


def _has_ended(client: Any, job: str, within_s: float) -> bool:
    """Wait for the end of a job; returns whether it came in time."""
    ends = time.monotonic() + within_s
    while not client.get_job_status(job).is_terminal():
        if time.monotonic() > ends:
            return False
        time.sleep(POLL_EVERY_S)
    return True


def _state(client: Any, job: str) -> str:
    """Say in one line what Ray says of a job."""
    info = client.get_job_info(job)
    said = first_line(RuntimeError(info.message)) if info.message else "no reason is given"
    return f"{info.status} ({said})"


def _remove(client: Any, job: str) -> None:
    """Take a job off the list of jobs; one that has not ended is stopped first. What fails leaves it in the list."""
    with suppress(RuntimeError, OSError):
        client.stop_job(job)
        if _has_ended(client, job, STOP_WITHIN_S):
            client.delete_job(job)
