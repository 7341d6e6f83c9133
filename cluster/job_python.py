"""Find the Python on a cluster's head that can run this program, before a study is sent.

The command of a job is run by a shell that has whatever PATH the head was started with: often one without `python`. So
a job of a second looks for an interpreter and lists the versions of its packages.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from cluster.job_client import plain_refusals
from search_spaces.errors import InputError

DISTRIBUTION = "ablate-vlm"
OLDEST = (3, 11)

ANSWER_WITHIN_S = 120.0
"""A head starts a process for a job first."""

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

    def unmet(self, requirements: Sequence[Requirement]) -> list[str]:
        """List what it lacks of this project's requirements."""
        told = [] if self.python[:2] >= OLDEST else [f"it is {self.version} and not 3.11 or newer"]
        missing = [each.name for each in requirements if self.packages.get(each.name) is None]
        if missing:
            more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
            told.append(f"it has no {', '.join(missing[:MOST_NAMED])}{more}")
        for requirement in requirements:
            version = self.packages.get(requirement.name)
            if version is not None and not requirement.specifier.contains(Version(version), prereleases=True):
                told.append(f"{requirement.name} {version} is not {requirement.specifier}")
        return told


def requirements() -> list[Requirement]:
    """List the packages that this project requires; where it is not installed itself, Ray as it is here."""
    try:
        listed = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        return [Requirement(f"ray=={metadata.version('ray')}")]
    return [each for each in listed if each.marker is None or each.marker.evaluate({"extra": ""})]


def find_python(client: Any, address: str, given: str | None) -> HeadPython:
    """Find an interpreter on the head that has what this project requires.

    Args:
        client: of the cluster's dashboard.
        address: URL of it.
        given: name or path of the only one to try; None for Ray's own, then `python3` and `python` of the head's PATH.

    Raises:
        InputError: if there is none, naming what each lacks.
    """
    wanted = requirements()
    found = read_answers(_run(client, address, look_command(given, [each.name for each in wanted])))
    fit = next((python for python in found if not python.unmet(wanted)), None)
    if fit is not None:
        return fit
    if found:
        lacks = "; ".join(f"of {python.path}, {', '.join(python.unmet(wanted))}" for python in found)
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
        ends = time.monotonic() + ANSWER_WITHIN_S
        while not client.get_job_status(job).is_terminal():
            if time.monotonic() > ends:
                client.stop_job(job)
                law = f"the head must start a job, but within {ANSWER_WITHIN_S:.0f} s it did not"
                raise InputError(law, place=address, way_out=f"What does `ray job logs {job}` say?")
            time.sleep(POLL_EVERY_S)
        said = str(client.get_job_logs(job))
        client.delete_job(job)
    return said
