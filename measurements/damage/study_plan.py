"""Plan the study whose files are damaged."""

from __future__ import annotations

from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests, preflight
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from trainables.storage import layout
from trainables.storage.store import LocalStore

STUDY_FILE = Path(__file__).with_name("study.yaml")


def planned(storage: Path, *, reads_data: bool) -> tuple[Plan, dict[str, str]]:
    """Plan the study; with its data, or by what storage knows of them."""
    data = storage / layout.SOURCES
    options = PlanOptions(storage, data, features="cache")
    expansion, store = expand(load_study(str(STUDY_FILE)), options), LocalStore(storage)
    known = known_digests(store)
    if reads_data:
        known = preflight(expansion.specs(), expansion.evaluation_sets, store, data, lambda line: None)
    return plan(expansion, options, known), known.digests
