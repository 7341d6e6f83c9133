"""The examples in `cluster/` are what `ablate submit --render` prints, and hold no secret."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from cluster.manifests.forms import FORMS, ManifestForm
from tests.support.manifests import render

CLUSTER = Path(__file__).parents[3] / "cluster"

EXAMPLES: dict[str, tuple[ManifestForm, str]] = {
    "kuberay/rayjob.yaml": ("rayjob", "kuberay"),
    "kuberay/rayjob-existing.yaml": ("rayjob", "kuberay-existing"),
    "kuberay/rayjob-kueue.yaml": ("rayjob", "kuberay-kueue"),
    "slurm/quickstart.sbatch": ("sbatch", "slurm"),
    "ray-up/aws.yaml": ("ray-up", "aws"),
    "ray-up/on-premise.yaml": ("ray-up", "on-premise"),
}


def test_every_form_has_what_writes_it() -> None:
    assert set(FORMS) == set(get_args(ManifestForm))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_what_the_command_in_its_first_lines_prints(example: str) -> None:
    """Mend one that is not with the command that stands in its own first lines."""
    text = (CLUSTER / example).read_text()
    form, profile = EXAMPLES[example]
    assert f"# ablate submit quickstart --render {form} --profile {profile}\n" in text
    assert render(form, profile) == text
