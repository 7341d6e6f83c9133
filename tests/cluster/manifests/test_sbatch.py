"""Batch scripts have only what Slurm has, start and end Ray by process id, and go on after the time limit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster.address import EMBEDDED_PREFIX
from tests.support import fake_slurm
from tests.support.command_line import ROOT
from tests.support.fake_slurm import Call
from tests.support.manifests import render, try_render

ENVIRONMENT = Path(sys.executable).parents[1]


def _profile(tmp_path: Path, environment: Path = ENVIRONMENT, **settings: object) -> str:
    """Write a profile of two nodes of one CPU, whose storage is in a folder of the test."""
    kind = {"max": 2, "cpus": 1, "memory_gb": 4, "price": None}
    written = {
        "about": "two small nodes",
        "head": None,
        "nodes": {"small": kind},
        "interconnect": None,
        "storage": str(tmp_path / "storage"),
        "slurm": {"environment": str(environment), "hours": 1, "notice_s": 90, **settings},
    }
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(written))
    return str(file)


def _ray_folder(job_id: int) -> Path:
    return Path(f"/tmp/ray-{os.getuid()}-{job_id}")


class _Batch:
    """A script that runs as Slurm runs it, with commands in place of Python and Ray that write down their calls."""

    PYTHON = """\
#!/bin/bash
if [ "$2" = cluster.wait_for_nodes ]; then
  until [ "$(wc -l <"$CALLS.naps")" -ge "$4" ]; do sleep 0.02; done 2>/dev/null
fi
echo "python $*" >>"$CALLS"
case "$*" in
  *"orchestrator run"*)
    sleep 600 & nap=$!
    echo $$ $nap >"$CALLS.run"
    trap 'kill $nap; wait $nap; exit 3' USR2
    [ -n "$EXIT_CODE" ] && { kill $nap; wait $nap; exit "$EXIT_CODE"; }
    wait $nap ;;
  *"orchestrator stop"*) kill -USR2 "$(cut -d ' ' -f 1 "$CALLS.run")" ;;
esac
"""
    RAY = """\
#!/bin/bash
echo "ray $*" >>"$CALLS"
echo "RAY_TMPDIR $RAY_TMPDIR" >>"$CALLS"
[ -n "$RAY_FAILS" ] && exit 1
sleep 600 & nap=$!
trap 'kill $nap; wait $nap; echo "ray ended" >>"$CALLS"; exit 0' TERM
echo $nap >>"$CALLS.naps"
wait $nap
"""

    def __init__(self, tmp_path: Path, job_id: int | None = None, **environment: str):
        self.job_id = job_id or os.getpid()  # of this process alone, as is the folder that follows from it
        self.ray_folder = _ray_folder(self.job_id)
        fakes = tmp_path / "environment" / "bin"
        fakes.mkdir(parents=True)
        for name, text in (("python", self.PYTHON), ("ray", self.RAY)):
            (fakes / name).write_text(text)
            (fakes / name).chmod(0o755)
        self.script = render("sbatch", _profile(tmp_path, fakes.parent), "--limit", "2")
        file = tmp_path / "job.sbatch"
        file.write_text(self.script)
        self._calls, self._log = tmp_path / "calls", tmp_path / "slurm.log"
        slurm = fake_slurm.job_environment(self.script, self.job_id, self._log, fake_slurm.install(tmp_path / "slurm"))
        self.process = subprocess.Popen(
            ["bash", str(file)],
            env={
                **slurm,
                "CALLS": str(self._calls),
                "EXIT_CODE": "",
                "RAY_FAILS": "",
                "TMPDIR": str(tmp_path),
                **environment,
            },
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for_run(self) -> None:
        """Return when the script has begun the run."""
        run = Path(f"{self._calls}.run")
        while not (run.exists() and run.read_text()) and self.process.poll() is None:
            pass

    def end(self) -> str:
        """Wait for the end of the script. Returns what it printed."""
        return self.process.communicate(timeout=60)[0]

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()

    @property
    def slurm_calls(self) -> list[Call]:
        return fake_slurm.calls(self._log)

    def living_naps(self) -> list[int]:
        """List the processes of Ray's that are still there."""
        pids = map(int, Path(f"{self._calls}.naps").read_text().split())
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("profile", ["slurm", "own"])
def test_shellcheck_finds_nothing_in_a_script(tmp_path: Path, profile: str) -> None:
    tool = shutil.which("shellcheck", path=f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert tool is not None
    options = ["--toy", "--set", "question='$(rm -rf /); `id` \\ \"'", "--storage", "/a/b"]
    script = render("sbatch", "slurm") if profile == "slurm" else render("sbatch", _profile(tmp_path), *options)
    done = subprocess.run([tool, "--shell=bash", "-"], input=script, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_directives_ask_for_the_nodes_of_the_profile(tmp_path: Path) -> None:
    asked = fake_slurm.directives(render("sbatch", "slurm"))
    assert [asked[of] for of in ("nodes", "cpus-per-task", "mem", "gpus-per-node")] == ["4", "128", "953674M", "8"]
    assert (asked["time"], asked["signal"], asked["partition"]) == ("24:00:00", "B:USR1@300", "gpu")
    assert "account" not in asked
    script = render("sbatch", _profile(tmp_path, hours=1.5, account="lab-7", nodes_within_s=900))
    assert 'cluster.wait_for_nodes "$address:$port" "$1" --within 900 &' in script
    ours = fake_slurm.directives(script)
    assert (ours["time"], ours["account"]) == ("1:30:00", "lab-7")
    assert "gpus-per-node" not in ours


def test_the_study_of_a_script_is_the_one_that_was_given(tmp_path: Path) -> None:
    script = render("sbatch", "slurm", "--set", "seeds=[4]", "--set", "question=Does $HOME `help`?")
    (text,) = re.findall(r"<<'END_OF_STUDY'\n(.*?)\nEND_OF_STUDY\n", script, flags=re.S)
    study = yaml.safe_load(text)
    assert (study["study"], study["seeds"]["default"]) == ("quickstart", [4])
    assert study["question"] == "Does $HOME `help`?"


def test_a_script_starts_the_head_then_the_other_nodes_then_the_run_and_ends_with_its_code(tmp_path: Path) -> None:
    batch = _Batch(tmp_path, EXIT_CODE="1")
    printed = batch.end()
    assert batch.process.returncode == 1, printed
    order = [call.split()[0] + " " + call.split()[2] for call in batch.calls if "start" in call or "python" in call]
    assert order == [
        "ray --head",
        "python cluster.wait_for_nodes",
        f"ray --address=127.0.0.1:{20000 + batch.job_id % 1000 * 10}",
        "python cluster.wait_for_nodes",
        "python orchestrator",
    ]
    assert batch.calls.count("ray ended") == 2
    assert batch.living_naps() == []
    assert not any(call.startswith("ray stop") for call in batch.calls)
    assert [call.tool for call in batch.slurm_calls] == ["scontrol", "srun", "srun", "srun", "srun"]
    assert not batch.ray_folder.exists()


def test_rays_folder_is_of_this_job_and_seen_by_its_user_alone(tmp_path: Path) -> None:
    batch = _Batch(tmp_path)
    batch.wait_for_run()
    mode = batch.ray_folder.stat().st_mode
    batch.process.send_signal(signal.SIGTERM)
    batch.end()
    assert stat.S_IMODE(mode) == 0o700
    assert [call for call in batch.calls if call.startswith("RAY_TMPDIR")] == [f"RAY_TMPDIR {batch.ray_folder}"] * 2
    assert not batch.ray_folder.exists()


def test_paths_of_rays_sockets_have_room_with_the_longest_numbers() -> None:
    (folder,) = re.findall("^export RAY_TMPDIR=(.*)$", render("sbatch", "slurm"), flags=re.M)
    folder = folder.replace("$UID", str(2**32 - 2)).replace("$SLURM_JOB_ID", str(2**26))
    assert len(f"{folder}/ray/session_2026-01-31_12-00-00_123456_{2**22}/sockets/plasma_store.1") <= 107
    assert not Path(folder).name.startswith(EMBEDDED_PREFIX)  # of clusters that go with their run


def test_a_folder_that_is_there_as_a_link_is_not_used(tmp_path: Path) -> None:
    folder, elsewhere = _ray_folder(job_id := os.getpid()), tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    batch = _Batch(tmp_path, job_id)
    printed = batch.end()
    assert f"{folder} must be a folder of the job's user on each node" in printed
    assert batch.process.returncode == 75
    assert not folder.is_symlink()  # of one user, it is removed; that of another cannot be


def test_before_the_limit_the_run_is_stopped_and_the_job_queued_again_without_ray(tmp_path: Path) -> None:
    batch = _Batch(tmp_path)
    batch.wait_for_run()
    batch.process.send_signal(signal.SIGUSR1)
    printed = batch.end()
    assert batch.process.returncode == 0, printed
    (stop,) = [call for call in batch.calls if "orchestrator stop" in call]
    assert stop.endswith("--within 30")
    assert batch.slurm_calls[-1] == Call("scontrol", ["requeue", str(batch.job_id)])
    assert batch.living_naps() == []
    assert not batch.ray_folder.exists()


def test_a_job_that_is_cancelled_is_not_queued_again(tmp_path: Path) -> None:
    batch = _Batch(tmp_path)
    batch.wait_for_run()
    batch.process.send_signal(signal.SIGTERM)
    batch.end()
    assert batch.process.returncode == 3
    assert [call.tool for call in batch.slurm_calls] == ["scontrol", "srun", "srun", "srun", "srun"]


def test_a_ray_that_does_not_start_ends_the_job_at_once(tmp_path: Path) -> None:
    batch = _Batch(tmp_path, RAY_FAILS="1")
    assert "Ray must start on 1 of the nodes, but did not" in batch.end()
    assert batch.process.returncode == 75
    assert not any("orchestrator run" in call for call in batch.calls)
    assert batch.ray_folder.exists()  # with Ray's logs
    batch.ray_folder.rmdir()


def test_the_token_is_made_in_the_job_and_printed_nowhere(tmp_path: Path) -> None:
    batch = _Batch(tmp_path, EXIT_CODE="0")
    printed = batch.end()
    assert "RAY_AUTH_TOKEN=$(" in batch.script
    assert re.search("[0-9a-f]{64}", batch.script + printed + "".join(batch.calls)) is None


@pytest.mark.ray
def test_a_script_runs_a_study_on_two_nodes_and_leaves_no_process(tmp_path: Path) -> None:
    """In a PID namespace of its own, which a process that is left behind cannot outlive."""
    if subprocess.run(["unshare", "--pid", "--fork", "--mount", "true"]).returncode != 0:
        pytest.skip("namespaces need the right to make them")
    script, left = tmp_path / "job.sbatch", tmp_path / "left"
    script.write_text(render("sbatch", _profile(tmp_path), "--toy", "--limit", "2", "--offline"))
    job_id = os.getpid()
    slurm = fake_slurm.job_environment(
        script.read_text(), job_id, tmp_path / "log", fake_slurm.install(tmp_path / "slurm")
    )
    inside = f"""
        bash {script}; code=$?
        for _ in $(seq 100); do  # helpers of Ray's dashboard end when they notice that it has
          ps -e -o stat=,args= >{left}.all; grep -v "^[XZ]" {left}.all >{left}
          [ "$(wc -l <{left})" -le 2 ] && break; sleep 0.1
        done; exit $code"""
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "sh", "-c", inside],
        env={**os.environ, **slurm, "FAKE_SLURM_FOLDERS": "1", "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "2 of 2 trials are done." in done.stdout
    assert [line.split()[1] for line in left.read_text().splitlines()] == ["sh", "ps"]
    assert len(list((tmp_path / "storage" / "studies" / "quickstart-toy" / "trials").iterdir())) == 2
    assert not _ray_folder(job_id).exists()


@pytest.mark.parametrize(
    ("settings", "law"),
    [
        ({"environment": "venv"}, "slurm.environment: must be an absolute path"),
        ({"partition": "gpu\n#SBATCH --uid=0"}, "slurm.partition: must be one word"),
        ({"notice_s": 10}, "slurm.notice_s: must be"),
    ],
)
def test_settings_of_slurm_that_cannot_be_are_refused(tmp_path: Path, settings: dict[str, object], law: str) -> None:
    assert law in str(try_render("sbatch", _profile(tmp_path, **settings)).exception)


def test_a_profile_of_another_way_is_refused() -> None:
    assert "slurm: must be in the profile" in str(try_render("sbatch", "aws").exception)


def test_a_study_cannot_end_its_part_of_the_script(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        f"extends: quickstart\nstudy: ends\nquestion: {json.dumps('a' + chr(10) + 'END_OF_STUDY' + chr(10))}\n"
    )
    script = try_render("sbatch", "slurm", study=str(study))
    assert script.exception is None or "END_OF_STUDY" in str(script.exception)


def test_ray_is_started_with_the_labels_of_the_profile(tmp_path: Path) -> None:
    file = Path(_profile(tmp_path))
    written = yaml.safe_load(file.read_text())
    written["nodes"]["small"]["labels"] = {"market": "spot"}
    file.write_text(yaml.safe_dump(written))
    assert "--num-gpus=0 --labels=market=spot --disable-usage-stats" in render("sbatch", str(file))
