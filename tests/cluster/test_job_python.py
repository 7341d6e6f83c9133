"""Claims about the Python that a job runs in; the shell is real, the head is this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cluster import job_python
from cluster.job_python import HeadPython, find_python, look_command, read_answers, requirements
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
    assert old.unmet(asked) == [
        "it is 3.9.2 and not 3.11 or newer",
        "it has no deepspeed",
        "ray 2.50.0 is not ==2.60.0",
    ]


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
    assert find_python(None, "http://head:8265", None).path == "/env/python3"
    monkeypatch.setattr(job_python, "_run", lambda *asked: f"{bare}\n{bare}\n")
    with pytest.raises(InputError, match="but of /usr/bin/python3, it has no ray\n") as refused:
        find_python(None, "http://head:8265", None)
    assert "--python PATH" in str(refused.value.way_out)
    monkeypatch.setattr(job_python, "_run", lambda *asked: "sh: 1: python: not found")
    with pytest.raises(InputError, match="none of these could be started there: Ray's own, python3 and python"):
        find_python(None, "http://head:8265", None)
