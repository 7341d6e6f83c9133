"""Claims about cluster/connect.py without a cluster; tests/orchestrator/running/test_tuner.py has the embedded one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import ray

from cluster.connect import connect, short_folder
from search_spaces.errors import InputError


def test_short_folder_path_too_long_for_sockets_is_replaced() -> None:
    assert short_folder("/tmp") == "/tmp"
    assert short_folder("/var/folders/" + "x" * 60, "/tmp") == "/tmp"


class Start:
    """Ray's start, which fails some times before it succeeds, and writes a log into its folder."""

    def __init__(self, failures: int):
        self.failures, self.tries = failures, 0
        self.folder = Path()

    def __call__(self, **options: Any) -> None:
        self.tries, self.folder = self.tries + 1, Path(options["_temp_dir"])
        self.folder.mkdir()  # fails if what the first try has left is still there
        if self.tries <= self.failures:
            raise Exception("The current node timed out during startup. This could happen because ...\nmore")


def test_connect_a_start_that_fails_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Start(failures=1)
    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(ray, "nodes", list)
    with connect(cpus=1) as nodes:
        assert nodes == ()
    assert start.tries == 2
    assert not start.folder.parent.exists()


def test_connect_a_start_that_fails_twice_is_one_sentence_and_leaves_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Start(failures=2)
    monkeypatch.setattr(ray, "init", start)
    refusal = r"must start on this machine, but twice it did not: .*timed out"
    with pytest.raises(InputError, match=refusal) as refused, connect(cpus=1):
        pass
    assert (refused.value.place, start.tries) == (str(start.folder), 2)
    assert start.folder.exists()
    shutil.rmtree(start.folder.parent)
