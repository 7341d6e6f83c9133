"""The package that a job sends is small."""

from __future__ import annotations

import subprocess

from tests.support.command_line import ROOT


def test_the_package_that_a_job_sends_is_small() -> None:
    """What git tracks is what is sent, but for the folders that .rayignore names."""
    ignored = tuple(line.strip("/") for line in (ROOT / ".rayignore").read_text().split())
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    sent = [name for name in listed if not name.startswith(ignored)]
    assert 0 < sum((ROOT / name).stat().st_size for name in sent) < 5_000_000
