"""Claims about how a plan is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from orchestrator.planning.plan_json import plan_json
from orchestrator.terminal.plan import plan_view, summary
from orchestrator.terminal.tables import MOST_ROWS
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study

TWO_STAGES = """\
study: two
question: How long?
base: {vision: clip-vit-l, language: vicuna-v15-7b, stages: [align, finetune], epochs: 1, data: llava-v15}
recipe: prismatic
axes: {epochs: [1, 2, 3]}
exclude: [{where: {epochs: 3}, reason: too dear}]
benchmarks: [gqa]
"""


def _plan(folder: Path, text: str = TWO_STAGES) -> Plan:
    path = folder / "study.yaml"
    path.write_text(text)
    return plan_study(load_study(str(path)))


def _shown(plan: Plan, provenance: dict[str, str] | None = None) -> str:
    out = StringIO()
    Console(file=out, width=200).print(plan_view(plan, provenance))
    return out.getvalue()


def test_json_has_the_fixed_fields_and_its_references_lead_somewhere(tmp_path: Path) -> None:
    shown = json.loads(json.dumps(plan_json(_plan(tmp_path))))
    assert shown["study"]["name"] == "two"
    assert len(shown["study"]["digest"]) == 64
    assert [(arm["name"], arm["difference"]) for arm in shown["arms"]] == [("base", {}), ("epochs=2", {"epochs": 2})]
    assert shown["excluded"] == [{"arm": "epochs=3", "reason": "too dear"}]
    stages = {stage["id"]: stage for stage in shown["stages"]}
    assert sorted(stage["name"] for stage in stages.values()) == ["align", "finetune", "finetune"]
    for trial in shown["trials"]:
        assert trial["arm"] in {arm["name"] for arm in shown["arms"]}
        first, second = (stages[name] for name in trial["stages"])
        assert (first["after"], second["after"]) == (None, first["id"])
        assert trial["id"] in first["trials"]
        assert trial["id"] in second["trials"]
    assert all(stage["key"] is None and stage["missing"] for stage in stages.values())


def test_json_tells_tokens_and_width_of_each_arm_and_bytes_of_features() -> None:
    shown = plan_json(plan_study(load_study("quickstart")))
    tokens = {arm["name"]: (arm["tokens_per_image"], arm["feature_width"]) for arm in shown["arms"]}
    assert tokens["base"] == (4, 1280)
    assert tokens["vision.tokens=1"] == (1, 1280)
    assert shown["totals"]["feature_bytes"] == sum(one["bytes"] for one in shown["features"])


def test_json_after_of_a_first_stage_is_null_even_behind_features() -> None:
    shown = plan_json(plan_study(load_study("quickstart")))
    ids = {stage["id"] for stage in shown["stages"]}
    assert all(stage["after"] is None or stage["after"] in ids for stage in shown["stages"])


def test_view_shows_what_is_shared_and_what_that_saves(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assert summary(plan) == "2 arms, 2 trials, 3 stages, 1 benchmark, 17,775 steps; sharing saves 2,181 steps"
    assert summary(plan) in _shown(plan)


def test_view_shows_exclusions_with_reasons_and_what_keys_wait_for(tmp_path: Path) -> None:
    shown = _shown(_plan(tmp_path))
    assert "too dear" in shown
    assert "weights:hub:lmsys/vicuna-7b-v1.5@main" in shown.replace("\n", "")


def test_view_shows_where_values_come_from_on_request(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assert "study.yaml:3" not in _shown(plan)
    assert "study.yaml:3" in _shown(plan, {"base.epochs": "study.yaml:3"})


def test_view_cuts_long_tables_and_says_so(tmp_path: Path) -> None:
    arms = "".join(f"  a{number}: {{max_steps: {number + 1}}}\n" for number in range(100))
    text = TWO_STAGES.split("axes")[0] + "arms:\n" + arms
    shown = _shown(_plan(tmp_path, text))
    assert f"... and {101 - MOST_ROWS} more" in shown


def test_planning_imports_nothing_heavy() -> None:
    code = (
        "import sys; from orchestrator.terminal.plan import plan_view;"
        "from search_spaces.expansion.expand import plan_study; from search_spaces.study_files import load_study;"
        "plan_view(plan_study(load_study('quickstart'), toy=True));"
        "print([name for name in ('torch', 'ray', 'deepspeed', 'mlflow', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
