"""Write the table of docs/prismatic.md from the study itself: ``python -m docs.prismatic_table``."""

from __future__ import annotations

from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Arm, Plan, PlannedTrial
from search_spaces.study_files import load_study
from search_spaces.yaml_source import show

SECTIONS = {
    "table 2": ["reproduction-llava-v15+7b", "reproduction-llava-v15+13b"],
    "4.1": ["one-stage+7b", "one-stage+13b", "full-ft-multi-stage+7b", "full-ft-one-stage+7b"],
    "4.2": [
        "in1k-224px+7b",
        "dinov2-224px+7b",
        "clip-224px+7b",
        "siglip-224px+7b",
        "clip-336px-resize-crop+7b",
        "clip-336px-resize-naive+7b",
        "siglip-384px-letterbox+7b",
        "siglip-384px-resize-crop+7b",
        "siglip-384px-resize-naive+7b",
        "dinoclip-336px-letterbox+7b",
        "dinoclip-336px-resize-naive+7b",
        "dinosiglip-384px-letterbox+7b",
        "dinosiglip-384px-resize-naive+7b",
    ],
    "4.3": [
        "llama2+7b",
        "llama2+13b",
        "mistral-v0.1+7b",
        "mistral-instruct-v0.1+7b",
        "vicuna-no-cotraining+7b",
        "llama2-no-cotraining+7b",
    ],
    "4.4": [
        "train-1.25-epochs+7b",
        "train-1.5-epochs+7b",
        "train-2-epochs+7b",
        "train-3-epochs+7b",
        "llava-lvis4v+7b",
        "llava-lrv+7b",
        "llava-lvis4v-lrv+7b",
    ],
    "5": [
        f"prism-{encoder}{data}+{size}"
        for size in ("7b", "13b")
        for encoder in ("clip", "siglip", "dinosiglip")
        for data in ("-controlled", "")
    ],
    "registry": [
        "llama2-chat+7b",
        "llama2-chat+13b",
        "phi-2+3b",
        "prism-dinosiglip-224px-controlled+7b",
        "prism-dinosiglip-224px+7b",
    ],
}
"""Section of the paper -> published ids; `registry` for models that only the original's code names."""

ENCODERS = {"clip": "CLIP", "siglip": "SigLIP", "dinov2": "DINOv2", "in1k": "ImageNet", "dino": "pair"}
"""First word of a backbone's name -> what tests/trainables/run_trial/test_encoders.py calls its kind."""


def table() -> str:
    """Write the table as Markdown, one row for each arm of the study."""
    plan = plan_study(load_study("prismatic/design_space"))
    rows = ["| paper | arm | difference from `one-stage+7b` | steps | proof |", "|---|---|---|--:|---|"]
    for section, names in SECTIONS.items():
        rows += [_row(section, name, plan) for name in names]
    return "\n".join(rows)


def _row(section: str, name: str, plan: Plan) -> str:
    arm = next(arm for arm in plan.arms if arm.name == name)
    trial = next(trial for trial in plan.trials if trial.arm == name)
    steps = " + ".join(f"{'about ' if node.approximate else ''}{node.steps:,}" for node in trial.stage_nodes(plan))
    return f"| {section} | `{name}` | {_difference(arm)} | {steps} | {_proof(trial)} |"


def _difference(arm: Arm) -> str:
    changed = {path: value for path, value in arm.difference.items() if value is not None}
    return "<br>".join(f"`{path}: {show(value)}`" for path, value in changed.items()) or "the base"


def _proof(trial: PlannedTrial) -> str:
    backbone = trial.spec.vision.backbone
    encoder = next(kind for word, kind in ENCODERS.items() if backbone.partition("-")[0].startswith(word))
    return f"S T, V {encoder}, L {trial.spec.language.family}"


if __name__ == "__main__":
    print(table())
