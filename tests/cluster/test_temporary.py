"""Claims about cluster/temporary.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from cluster.temporary import SessionFolder, count_abandoned, remove_abandoned, session_folder

OWNER = """
import pathlib, sys
from cluster.temporary import SessionFolder
folder = SessionFolder(pathlib.Path(sys.argv[1]))
print(folder.path, flush=True)
input()
"""
IDLE = "input()"


def start_owner(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a session folder, and that folder."""
    command = [sys.executable, "-c", OWNER, str(parent)]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    return owner, Path(owner.stdout.readline().strip())


def test_session_folder_is_there_while_the_block_runs(tmp_path: Path) -> None:
    with session_folder(tmp_path) as folder:
        (folder / "sockets").mkdir()
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_remove_abandoned_folder_of_a_living_process_stays_and_that_of_a_killed_one_goes(tmp_path: Path) -> None:
    own = SessionFolder(tmp_path)
    living, kept = start_owner(tmp_path)
    dead, left = start_owner(tmp_path)
    dead.kill()
    dead.wait()
    (left / "session").mkdir()
    with living, dead:
        assert count_abandoned(tmp_path) == 1
        remove_abandoned(tmp_path)
        assert count_abandoned(tmp_path) == 0
        assert sorted(tmp_path.iterdir()) == sorted([own.path, kept])
        living.kill()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [own.path]


def test_remove_abandoned_ends_what_was_started_in_the_folder_and_nobody_who_only_reads_there(tmp_path: Path) -> None:
    dead, left = start_owner(tmp_path)
    dead.kill()
    dead.wait()
    agent = subprocess.Popen([sys.executable, "-c", IDLE, f"--temp-dir={left}"], stdin=subprocess.PIPE)
    code = f"log = open(r'{left}/agent.log', 'w'); print(1, flush=True); input()"
    renamed = subprocess.Popen(["ray::Agent", "-c", code], executable=sys.executable, stdin=-1, stdout=-1, text=True)
    assert renamed.stdout is not None
    assert renamed.stdout.readline() == "1\n"
    reader = subprocess.Popen([sys.executable, "-c", IDLE, f"{left}/logs/raylet.out"], stdin=subprocess.PIPE)
    with dead, agent, renamed, reader:
        remove_abandoned(tmp_path)
        assert agent.poll() is not None
        assert renamed.poll() is not None
        assert psutil.Process(reader.pid).status() != psutil.STATUS_ZOMBIE
    assert not left.exists()


def test_remove_abandoned_folders_of_others_and_what_has_no_lock_stay(tmp_path: Path) -> None:
    (tmp_path / "ablate-job-1").mkdir()
    (tmp_path / "ablate-crash-1.txt").write_text("traceback")
    (tmp_path / "ablate-link").symlink_to(tmp_path / "ablate-job-1")
    remove_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
