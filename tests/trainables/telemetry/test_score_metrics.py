"""Claims about the names that scores have on a tracking server."""

from __future__ import annotations

from search_spaces.spec import BenchmarkSpec
from tests.support.tiny_specs import source
from trainables.storage.records import EvaluationResult
from trainables.telemetry.score_metrics import score_metrics

POPE = BenchmarkSpec(id="pope", source=source())
BLANK = POPE.model_copy(update={"images": "blank"})


def _result(points: float) -> EvaluationResult:
    return EvaluationResult(
        key="k", asked="a", benchmark="pope", protocol="official", n=1, unparsable=0, points=points,
        headline="accuracy", metrics={"accuracy": points}, units={}, warnings=(), majority=50.0, constant=False,
        gpu_seconds=1.0, examples="e",
    )  # fmt: skip


def test_scores_without_images_have_names_of_their_own_and_enter_no_mean() -> None:
    own = score_metrics([POPE], [], [], {"pope": _result(80.0)})
    blind = score_metrics([POPE], [], [BLANK], {"pope": _result(80.0), "pope@blank": _result(50.0)})
    assert blind == own | {"blind/pope/blank": 50.0}
