"""A plan is shown with what is shared, what is excluded and where values come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestrator.terminal.plan import plan_view, summary
from orchestrator.terminal.tables import MOST_ROWS
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from tests.support.small_studies import TWO_STAGES, plan_of
from tests.support.terminal_text import shown


def _shown(plan: Plan, width: int = 200) -> str:
    return shown(lambda console: console.print(plan_view(plan)), width=width)


def test_view_shows_what_is_shared_and_what_that_saves(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TWO_STAGES)
    assert summary(plan) == "2 arms, 2 trials, 3 stages, 1 benchmark, 17,775 steps; sharing saves 2,181 steps"
    assert summary(plan) in _shown(plan)


def test_view_shows_exclusions_with_reasons_and_what_keys_wait_for(tmp_path: Path) -> None:
    text = _shown(plan_of(tmp_path, TWO_STAGES))
    assert "too dear" in text
    assert "weights:hub:lmsys/vicuna-7b-v1.5@main" in text.replace("\n", "")


def test_tables_fit_into_80_columns_and_have_no_column_of_zeros() -> None:
    plan = plan_study(load_study("quickstart"))
    wide, narrow = _shown(plan), _shown(plan, width=80)
    tables = [
        block for block in wide.split("\n\n") if block.startswith(("Arms", "Stages", "Memory", "Models", "Trials"))
    ]
    assert len(tables) == 5
    for block in tables:
        assert max(map(len, block.splitlines())) <= 80
        assert block in narrow
    memory = next(block for block in tables if block.startswith("Memory"))
    assert "host" not in memory.splitlines()[1].split()
    assert "activ" in memory.splitlines()[1].split()


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
