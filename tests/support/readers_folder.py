"""Make the folder of somebody who reads the documents: every file that printed commands name is there.

Studies that documents run are stood in for by a small one under their names, which a storage beside the folder holds
finished.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from typer.testing import CliRunner

from orchestrator.cli import app
from tests.support.command_line import ROOT, ablate
from tests.support.harness_files import write_lmms_run, write_vlmevalkit_run
from tests.support.official_files.vqav2 import write_vqav2
from tests.support.own_sets import write_own_set

STUDY_FILES = ("study.yaml", "my_study.yaml", "two-stage.yaml", "STUDY", "FILE", "WHAT", "A")
"""Names of the small study in documents."""
STUDY_FOLDERS = ("my-study", "mystudy")
SHIPPED = ("quickstart", "mini")
"""Shipped studies that the small one stands in for where trials or their results are needed: they take minutes."""
READ_AS_SHIPPED = ("plan", "doctor", "submit", "ls", "show", "init", "benchmarks")
"""Commands that read the shipped studies themselves: they take seconds."""
STAND_INS = "stand-ins"
"""Folder of these, beside the reader's."""

_SMALL_STUDY = """\
study: mystudy
question: Does a study of the documents run?
backbones:
  small-clip:
    arch: vit_large_patch14_clip_quickgelu_336
    family: vit
    options: {depth: 3, embed_dim: 64, num_heads: 4, img_size: 56}
    resolution: 56
    patch: 14
    width: 64
    mean: [0.5, 0.5, 0.5]
    std: [0.5, 0.5, 0.5]
base:
  vision: {backbone: small-clip, weights: random, resize: naive}
  language: tiny
  projector: gelu-mlp
  stages: [finetune]
  epochs: 1
  data: ours
recipe: quickstart
axes: {projector: [gelu-mlp, linear], epochs: [1, 2]}
design: one-at-a-time
seeds: [7, 8]
sources:
  our-train: {reader: llava, path: train.json, image_folder: images}
  our-test: {reader: questions, path: test.jsonl, image_folder: images, options: {benchmark: exact}}
mixes: {ours: {parts: [{source: our-train}]}}
benchmarks: [{id: our-colors, source: our-test}]
hypotheses:
  - {id: projector, claim: A linear projector answers worse, pairs: [[base, projector=linear]], expect: worse}
"""
"""Three arms whose base any form of export takes."""
_CLAIMS = {
    "hypotheses": [{"id": "larger", "claim": "Larger is better", "pairs": [["base", "large"]], "expect": "better"}]
}


def make_readers_folder(folder: Path) -> None:
    """Make the files that documents name.

    Args:
        folder: that is to be there; the stand-ins lie in `stand-ins` beside it.
    """
    folder.mkdir()
    write_own_set(folder)
    study = _SMALL_STUDY
    for name in STUDY_FILES:
        (folder / name).write_text(study)
    for name in STUDY_FOLDERS:
        (folder / name).mkdir()
        (folder / name / "study.yaml").write_text(study)
    for name in SHIPPED:
        (folder.parent / STAND_INS / name).mkdir(parents=True)
        (folder.parent / STAND_INS / name / "study.yaml").write_text(study)
    (folder / "B").write_text(study.replace("seeds: [7, 8]", "seeds: [7, 9]"))
    for name in ("examples", "measurements"):
        (folder / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, str(ROOT / "examples/own-vqa/draw.py"), "shapes"], cwd=folder, check=True)
    shutil.copy(folder / "train.json", folder / "chat.json")
    (folder / "img").symlink_to("images")
    shutil.copy(ROOT / "cluster/profiles/on-premise.yaml", folder / "my_cluster.yaml")
    _write_scores(folder)


def _write_scores(folder: Path) -> None:
    """Write answers and scores that other programs have made."""
    (folder / "claims.yaml").write_text(yaml.safe_dump(_CLAIMS))
    (folder / "table.csv").write_text("model,vqav2,gqa,vizwiz\nbase,76.8,62.3,50.1\nlarge,77.1,62.6,51.0\n")
    for arm, accuracy in {"base": 0.5, "large": 0.7}.items():
        for seed in (1, 2, 3):
            write_lmms_run(folder / "logs" / f"{arm}-seed{seed}", accuracy, seed)
        write_vlmevalkit_run(folder / "outputs", arm, accuracy, 1)
    own = [{"id": "q1", "exact_match": 1, "picture": "a.png"}, {"id": "q2", "exact_match": 0.3, "picture": "a.png"}]
    _write_lines(folder / "own.jsonl", own)
    write_vqav2(folder)
    questions = ["red", "no", "two"]
    _write_lines(
        folder / "mine.jsonl",
        [
            {"id": number, "image": "a.png", "question": "What?", "options": questions, "answer": number}
            for number in range(len(questions))
        ],
    )
    _write_lines(folder / "predictions.jsonl", [{"id": n, "prediction": text} for n, text in enumerate(questions)])


def _write_lines(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def run_the_small_study(folder: Path, storage: Path) -> None:
    """Run the small study, its toy form and the seeds of its base, and import scores that were made elsewhere."""
    for command in (("run", "STUDY"), ("run", "STUDY", "--toy"), ("noise", "STUDY")):
        ablate(*command, "--data", str(folder), storage=storage, cwd=folder)
    for run in sorted((folder / "logs").iterdir()):
        arm, _, seed = run.name.partition("-seed")
        scores = ("--from", "lmms-eval", str(run), "--arm", arm, "--seed", seed, "--out", str(folder / "items"))
        done = CliRunner().invoke(app, ["import", *scores])
        assert done.exit_code == 0, done.output
