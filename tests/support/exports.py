"""Tiny trained trials, exported as folders, and the code of their model cards."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

from search_spaces.spec import VisionSpec
from tests.support.tiny_specs import stage, vision
from tests.support.tiny_trials import make_task, run
from trainables.export.folder import export_trial
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

TINY = {"depth": 3, "embed_dim": 64, "num_heads": 4, "img_size": 56}
CLIP = "vit_large_patch14_clip_quickgelu_336"
SIGLIP = "vit_so400m_patch14_siglip_384"


def tiny_tower(arch: str, **changes: Any) -> VisionSpec:
    """Describe a vision transformer of timm at toy size."""
    fields: dict[str, Any] = {"arch": arch, "family": "vit", "resolution": 56, "patch": 14, "width": 64, "tokens": 16}
    return vision(**(fields | {"options": TINY} | changes))


def trained(folder: Path, tower: VisionSpec, **changes: Any) -> TrialTask:
    """Train all parts of a model for two steps; `changes` are arguments of `make_task`."""
    stages = (stage(max_steps=2, trains=("vision", "projector", "language")),)
    task = make_task(folder, stages=stages, vision_spec=tower, cached=False, benchmarks=(), **changes)
    run(task)
    return task


def exported(task: TrialTask, folder: Path, form: Any = "hf") -> Path:
    """Export a trial to `folder/out`."""
    export_trial(task, LocalStore(Path(task.storage)), form, folder / "out")
    return folder / "out"


def asked_by_the_card(folder: Path, picture: Path, instead: tuple[str, str] = ("", "")) -> str:
    """Run the code of a model card on a picture, as a reader would; `instead` replaces a text in it."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert instead[0] in code
    said = io.StringIO()
    program = code.replace(f'"{folder.name}"', repr(str(folder))).replace('"picture.jpg"', repr(str(picture)))
    with contextlib.redirect_stdout(said):
        exec(program.replace(*instead) if instead[0] else program, {})
    return said.getvalue().strip()
