"""Claims about the Python that a job runs in; the shell is real, the head is this machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from ray.job_submission import JobDetails, JobStatus, JobType

from cluster import job_python
from cluster.job_python import MARK, HeadPython, find_python, look_command, read_answers, requirements
from search_spaces.errors import InputError

NAMES = ["packaging", "no-such-package"]


def look(command: str, **variables: str) -> list[HeadPython]:
    """Run the command as the head's shell does."""
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **variables}
    )
    assert done.returncode == 0
    return read_answers(done.stdout)


def test_the_python_of_rays_workers_is_found_where_the_path_has_none(tmp_path: Path) -> None:
    """A raylet starts a worker, which starts the shell of a job."""
    shell = f"import subprocess; subprocess.run({look_command(None, NAMES)!r}, shell=True)"
    worker = f"import subprocess; subprocess.run([{sys.executable!r}, '-c', {shell!r}])"
    raylet = ["raylet", "-c", worker, f"--python_worker_command={sys.executable} default_worker.py --x=y"]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(raylet, executable=sys.executable, capture_output=True, text=True, env=environment)
    found = read_answers(done.stdout)
    assert (found[0].path, found[0].python) == (sys.executable, sys.version_info[:3])
    assert found[0].packages.keys() == set(NAMES)
    assert found[0].packages["no-such-package"] is None


def test_the_path_is_looked_at_where_ray_does_not_tell_and_another_python_where_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    assert look(look_command(None, NAMES), PATH=f"{tmp_path}:/usr/bin:/bin")[0].python == sys.version_info[:3]
    assert [python.path for python in look(look_command(sys.executable, NAMES))] == [sys.executable]
    assert look(look_command("/no such/python", NAMES)) == []


def test_what_a_python_lacks_is_listed() -> None:
    asked = [Requirement("ray==2.60.0"), Requirement("torch<2.15,>=2.14"), Requirement("deepspeed")]
    old = HeadPython("/usr/bin/python3", (3, 9, 2), {"ray": "2.50.0", "torch": "2.14.1+cpu"})
    assert old.lacks(asked) == ["it is 3.9.2 and not 3.11 or newer", "it has no deepspeed"]
    assert old.differs(asked) == ["ray 2.50.0 is not ==2.60.0"]


@pytest.mark.parametrize("version", ["2.14.0a0+nv", "2.14-nvidia-build"])
def test_a_python_that_was_named_may_have_other_versions_but_of_ray_and_they_are_told(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(job_python, "requirements", lambda: [Requirement("ray==2.60.0"), Requirement("torch>=2.14")])
    answer = {"path": "/opt/python", "python": [3, 12, 3], "packages": {"ray": "2.60.0", "torch": version}}
    told = list[str]()
    monkeypatch.setattr(job_python, "_run", lambda *asked: MARK + json.dumps(answer))
    assert find_python(None, "http://head:8265", "/opt/python", told.append).path == "/opt/python"
    assert told == [f"/opt/python of the head has versions that were not tried: torch {version} is not >=2.14"]
    with pytest.raises(InputError, match=f"torch {re.escape(version)} is not >=2.14"):
        find_python(None, "http://head:8265", None, told.append)
    answer["packages"] = {"ray": "2.50.0", "torch": "2.14.0"}
    with pytest.raises(InputError, match=r"ray 2\.50\.0 is not ==2\.60\.0"):
        find_python(None, "http://head:8265", "/opt/python", told.append)


def test_this_project_requires_what_its_metadata_says_and_no_extras() -> None:
    names = {requirement.name for requirement in requirements()}
    assert {"ray", "torch", "deepspeed"} <= names
    assert not {"pytest", "gguf"} & names


def test_the_first_python_that_has_everything_is_taken_else_each_is_named_with_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_python, "requirements", lambda: [Requirement("packaging"), Requirement("ray==2.60.0")])
    bare = 'ablate-python {"path": "/usr/bin/python3", "python": [3, 11, 2], "packages": {"packaging": "26.0"}}'
    whole = bare.replace("/usr/bin", "/env").replace("}}", ', "ray": "2.60.0"}}')
    monkeypatch.setattr(job_python, "_run", lambda *asked: f"noise\n{bare}\n{bare}\n{whole}\n")
    assert find_python(None, "http://head:8265", None, print).path == "/env/python3"
    monkeypatch.setattr(job_python, "_run", lambda *asked: f"{bare}\n{bare}\n")
    with pytest.raises(InputError, match="but of /usr/bin/python3, it has no ray\n") as refused:
        find_python(None, "http://head:8265", None, print)
    assert "--python PATH" in str(refused.value.way_out)
    monkeypatch.setattr(job_python, "_run", lambda *asked: "sh: 1: python: not found")
    with pytest.raises(InputError, match="none of these could be started there: Ray's own, python3 and python"):
        find_python(None, "http://head:8265", None, print)


@dataclass
class Dashboard:
    """A cluster's dashboard with at most one job, whose statuses are told one after the other, the last for ever."""

    statuses: list[JobStatus]
    jobs: list[str] = field(default_factory=list)
    interrupted: bool = False

    def submit_job(self, entrypoint: str, submission_id: str) -> str:
        self.jobs.append(submission_id)
        return submission_id

    def get_job_status(self, job: str) -> JobStatus:
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def get_job_info(self, job: str) -> JobDetails:
        return JobDetails(
            type=JobType.SUBMISSION, entrypoint="", status=self.statuses[0], message="No space left\nmore"
        )

    def get_job_logs(self, job: str) -> str:
        return f'{MARK}{{"path": "/env/python", "python": [3, 12, 3], "packages": {{}}}}'

    def stop_job(self, job: str) -> bool:
        is_running = not self.statuses[0].is_terminal()
        self.statuses = [JobStatus.STOPPED] if is_running else self.statuses
        return is_running

    def delete_job(self, job: str) -> bool:
        if not self.statuses[0].is_terminal():
            raise RuntimeError("a job that runs cannot be deleted")
        self.jobs.remove(job)
        return True


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass only where somebody sleeps."""
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds

    monkeypatch.setattr(job_python, "time", SimpleNamespace(monotonic=lambda: now_s[0], sleep=sleep))
    monkeypatch.setattr(job_python, "requirements", list)


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize(
    ("statuses", "law"),
    [
        ([JobStatus.PENDING], "the head must start a job, but within 120 s it did not: PENDING (No space left)"),
        ([JobStatus.RUNNING, JobStatus.FAILED], "one of a second did not succeed: FAILED (No space left)"),
    ],
)
def test_a_look_that_does_not_end_well_is_told_with_what_ray_says_and_leaves_no_job(
    statuses: list[JobStatus], law: str
) -> None:
    dashboard = Dashboard(statuses)
    with pytest.raises(InputError) as refused:
        find_python(dashboard, "http://head:8265", None, print)
    assert law in str(refused.value)
    assert refused.value.way_out
    assert dashboard.jobs == []


@pytest.mark.usefixtures("_no_waiting")
def test_a_look_leaves_no_job_where_it_succeeds_or_is_interrupted() -> None:
    dashboard = Dashboard([JobStatus.PENDING, JobStatus.RUNNING, JobStatus.SUCCEEDED])
    assert find_python(dashboard, "http://head:8265", None, print).path == "/env/python"
    assert dashboard.jobs == []
    dashboard = Dashboard([JobStatus.RUNNING], interrupted=True)
    with pytest.raises(KeyboardInterrupt):
        find_python(dashboard, "http://head:8265", None, print)
    assert dashboard.jobs == []
