"""Check that equal work gives equal bytes: compare the digests of all final weights of several runs.

- a study twice from scratch: every stage's weights equal;
- a worker killed with SIGKILL in mid-stage, and the same command again: equal to undisturbed;
- two `ablate run` on one storage at the same time: every stage trained once;
- a finished study run again: seconds, and no Ray.

Run: ``python -m measurements.exactness``. The study is the quickstart with fewer steps, fp32, on the CPU.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from measurements.cost import told_cost

SHORT = ("--limit", "4", "--set", "base.epochs=0.25", "--set", "resources.checkpoint_every_steps=10")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = _run(root / "first")
        print(f"study from scratch: {_wait(first):.0f} s, {len(_weights(root / 'first'))} stages")
        began = time.perf_counter()
        again = _run(root / "first")
        _wait(again)
        print(f"finished study run again: {time.perf_counter() - began:.1f} s")
        _wait(_run(root / "second"))
        _report("study twice from scratch", _weights(root / "first") == _weights(root / "second"))
        print(_killed_and_resumed(root / "killed"))
        _report("killed with -9 and resumed", _weights(root / "first") == _weights(root / "killed"))
        both = [_run(root / "shared"), _run(root / "shared")]
        for process in both:
            _wait(process)
        trained = _trained_stages(root / "shared")
        once = set(trained.values()) == {1} and len(trained) == len(_weights(root / "first"))
        _report(f"two runs at once: {len(trained)} stages, each trained once", once)
        _report("two runs at once, weights", _weights(root / "first") == _weights(root / "shared"))


def _report(what: str, holds: bool) -> None:
    print(f"{what}: {'equal' if holds else 'DIFFERENT'}", flush=True)
    if not holds:
        sys.exit(1)


def _run(storage: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ABLATE_STORAGE": str(storage)}
    command = [sys.executable, "-m", "orchestrator", "run", "quickstart", *SHORT]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait(process: subprocess.Popen[str], codes: Iterable[int] = (0,)) -> float:
    began = time.perf_counter()
    output, _ = process.communicate(timeout=900)
    if process.returncode not in codes:
        raise SystemExit(output)
    return time.perf_counter() - began


def _weights(storage: Path) -> dict[str, dict[str, str]]:
    """Read the digests of the modules of each stage, by stage key."""
    results = sorted(storage.glob("stages/*/result.json"))
    return {result.parent.name: json.loads(result.read_text())["modules"] for result in results}


def _trained_stages(storage: Path) -> Counter[str]:
    """Count in the workers' logs how often each stage was trained."""
    text = "".join(log.read_text() for log in storage.glob("studies/*/trials/*/rank-0.log"))
    return Counter(line.split()[-1] for line in text.splitlines() if line.startswith("training stage "))


def _killed_and_resumed(storage: Path) -> str:
    """Kill the process of a trial once it has written a checkpoint; then run the study again."""
    process = _run(storage)
    while not list(storage.glob("stages/*/checkpoints/0*")):
        if process.poll() is not None:
            raise SystemExit("the study ended before a worker could be killed")
        time.sleep(0.05)
    victim = _training(storage)
    os.kill(victim, signal.SIGKILL)
    _wait(process, codes=(1,))
    _wait(_run(storage))
    resumed = [
        line
        for log in storage.glob("studies/*/trials/*/rank-0.log")
        for line in log.read_text().splitlines()
        if "going on from step" in line
    ]
    return f"killed pid {victim}: exit 1, then: {'; '.join(resumed)}"


def _training(storage: Path) -> int:
    """Find the process that has written a checkpoint in the log of its trial."""
    (key, *_) = (folder.parents[1].name for folder in storage.glob("stages/*/checkpoints/0*"))
    for log in storage.glob("studies/*/trials/*/rank-0.log"):
        lines = log.read_text().splitlines()
        if any(line.endswith(key) for line in lines):
            return int(next(line for line in reversed(lines) if line.startswith("=== ")).split()[-1])
    raise SystemExit("no log tells who trains the stage")


if __name__ == "__main__":
    with told_cost():
        main()
