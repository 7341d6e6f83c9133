"""The plan as JSON has fixed fields, and its references lead somewhere."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.planning.plan_json import plan_json
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study
from tests.support.small_studies import TWO_STAGES, plan_of


def test_json_has_the_fixed_fields_and_its_references_lead_somewhere(tmp_path: Path) -> None:
    shown = json.loads(json.dumps(plan_json(plan_of(tmp_path, TWO_STAGES))))
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
