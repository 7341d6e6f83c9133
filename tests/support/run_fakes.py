"""A process of its own that runs fake trials on an embedded cluster: ``run_fakes.py STORAGE PATHS UNIT_S [LAUNCHER]``.

Prints its outcomes as JSON and ends as the command line does: 1 if a trial failed, 128 + number for a signal.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cluster.connect import connect
from cluster.launcher import MemberCode
from orchestrator.running.attempts import RunSettings
from orchestrator.running.tuner import run_trials
from tests.support.fake_trials import LOOP, STUDY, Fakes
from trainables.storage.store import LocalStore

if __name__ == "__main__":
    storage, paths, unit_s = Path(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3])
    launcher: Any = sys.argv[4] if len(sys.argv) > 4 else "gang"
    fakes = Fakes(storage, paths, unit_s=unit_s)
    code = MemberCode("trainables.workers.worker:Worker", {"loop": LOOP, "joins": False})
    with connect(cpus=2):
        settings = RunSettings(STUDY, launcher, code=code)
        outcomes = run_trials(fakes.work, fakes.nodes, (), fakes.task, LocalStore(storage), settings)
    print(json.dumps(asdict(outcomes)))
    sys.exit(128 + outcomes.signal if outcomes.signal else int(bool(outcomes.failed)))
