"""Claims about trainables/workers/heap.py: memory that was freed is used again without the kernel's help."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from trainables.workers.heap import SETTINGS

_FAULTS = """
import resource, sys
import numpy as np
from trainables.workers.heap import keep_freed_memory
if sys.argv[1] == "keeps":
    keep_freed_memory()
def batch():
    return [np.ones(2_000_000) for _ in range(8)]  # of 16 MB each
batch(); batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(argument: str, **variables: str) -> int:
    """Run a process that fills and frees 128 MB five times; count the pages that the kernel gave it for that."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", _FAULTS, argument]
    done = subprocess.run(command, env={**inherited, **variables}, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_used_again_unless_the_user_has_set_glibc_otherwise() -> None:
    given_back = _page_faults("as it is")
    assert _page_faults("keeps") < given_back / 10
    assert _page_faults("keeps", MALLOC_TRIM_THRESHOLD_="131072") > given_back / 10
