"""The program for Python: `load` a study and plan, run, watch and read it; `judge` scores that were made anywhere.

import orchestrator.api as ablate

study = ablate.load("quickstart", storage="~/ablations", toy=True)
study.run(offline=True)
print(study.report().verdicts.opening)
print(study.scores().frame().groupby(["arm", "benchmark"]).points.mean())
print(study.examples("easy-vqa-shape").frame())
"""

from __future__ import annotations

from orchestrator.items.in_memory import judge
from orchestrator.loaded_study import LoadedStudy, Rows, load
from orchestrator.run_study import StudyRun
from search_spaces.errors import InputError

__all__ = ["InputError", "LoadedStudy", "Rows", "StudyRun", "judge", "load"]
