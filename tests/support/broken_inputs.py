"""How many generated inputs a test of `tests/broken_inputs` tries, and how many were tried in all."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec

import hypothesis

TIMES = int(os.environ.get("BROKEN_INPUTS_TIMES", "1"))
"""Factor on the number of inputs: 1 in CI, 10 in `make broken-inputs`."""
TRIED: Counter[str] = Counter()
"""Inputs tried so far in this process, by kind."""

P = ParamSpec("P")


def tries(kind: str, few: int = 60) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Try a test that hypothesis feeds on `few * TIMES` inputs of a kind, the same ones in every run.

    Stands above `hypothesis.given`. Inputs are counted under `kind` as they are tried.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        inner = test.hypothesis.inner_test  # type: ignore[attr-defined]  # what `given` calls for each input

        @functools.wraps(inner)
        def counted(*args: P.args, **kwargs: P.kwargs) -> None:
            TRIED[kind] += 1
            inner(*args, **kwargs)

        test.hypothesis.inner_test = counted  # type: ignore[attr-defined]
        checks = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
        fixtures = hypothesis.HealthCheck.function_scoped_fixture
        size = hypothesis.settings(
            max_examples=few * TIMES, derandomize=True, deadline=None, suppress_health_check=[*checks, fixtures]
        )
        return size(test)

    return decorate
