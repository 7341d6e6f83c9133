"""A plan is shown with what is shared, what is excluded and where values come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestrator.terminal.plan import plan_view, summary
from orchestrator.terminal.tables import MOST_ROWS
from search_spaces.plan import Plan
from tests.support.small_studies import TWO_STAGES, plan_of
from tests.support.terminal_text import shown


def _shown(plan: Plan, provenance: dict[str, str] | None = None) -> str:
    return shown(lambda console: console.print(plan_view(plan, provenance)))


def test_view_shows_what_is_shared_and_what_that_saves(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TWO_STAGES)
    assert summary(plan) == "2 arms, 2 trials, 3 stages, 1 benchmark, 17,775 steps; sharing saves 2,181 steps"
    assert summary(plan) in _shown(plan)


def test_view_shows_exclusions_with_reasons_and_what_keys_wait_for(tmp_path: Path) -> None:
    text = _shown(plan_of(tmp_path, TWO_STAGES))
    assert "too dear" in text
    assert "weights:hub:lmsys/vicuna-7b-v1.5@main" in text.replace("\n", "")


def test_view_shows_where_values_come_from_on_request(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TWO_STAGES)
    assert "study.yaml:3" not in _shown(plan)
    assert "study.yaml:3" in _shown(plan, {"base.epochs": "study.yaml:3"})


def test_view_cuts_long_tables_and_says_so(tmp_path: Path) -> None:
    arms = "".join(f"  a{number}: {{max_steps: {number + 1}}}\n" for number in range(100))
    text = TWO_STAGES.split("axes")[0] + "arms:\n" + arms
    text = _shown(plan_of(tmp_path, text))
    assert f"... and {101 - MOST_ROWS} more" in text


def test_planning_imports_nothing_heavy() -> None:
    code = (
        "import sys; from orchestrator.terminal.plan import plan_view;"
        "from search_spaces.expansion.expand import plan_study; from search_spaces.study_files import load_study;"
        "plan_view(plan_study(load_study('quickstart'), toy=True));"
        "print([name for name in ('torch', 'ray', 'deepspeed', 'mlflow', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
