"""Environment and loggers of a process are put back as they were."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import pytest

from cluster.process_state import log_to, set_environment


def test_set_environment_puts_back_what_was_there_and_removes_what_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_TEST_KNOWN", "before")
    monkeypatch.setenv("ABLATE_TEST_HIDDEN", "before")
    monkeypatch.delenv("ABLATE_TEST_NEW", raising=False)
    with set_environment({"ABLATE_TEST_KNOWN": "1", "ABLATE_TEST_NEW": "2", "ABLATE_TEST_HIDDEN": None}):
        assert (os.environ["ABLATE_TEST_KNOWN"], os.environ["ABLATE_TEST_NEW"]) == ("1", "2")
        assert "ABLATE_TEST_HIDDEN" not in os.environ
    assert os.environ["ABLATE_TEST_KNOWN"] == os.environ["ABLATE_TEST_HIDDEN"] == "before"
    assert "ABLATE_TEST_NEW" not in os.environ


def test_log_to_takes_loggers_their_children_and_warnings_and_gives_them_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    child = logging.getLogger("loud.child")
    child.addHandler(logging.StreamHandler())
    with (tmp_path / "driver.log").open("a") as log, log_to(log, ["loud"]):
        child.warning("from a child")
        warnings.warn("from Python", stacklevel=1)
    text = (tmp_path / "driver.log").read_text()
    assert "WARNING loud.child: from a child" in text
    assert "from Python" in text
    assert capfd.readouterr().err == ""
    child.warning("after the block")
    assert "after the block" in capfd.readouterr().err
