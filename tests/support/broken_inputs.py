"""How many generated inputs a test of `tests/broken_inputs` tries, how long each may take, and how many were tried."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec

import hypothesis

from tests.support.bounded import bounded

TIMES = int(os.environ.get("BROKEN_INPUTS_TIMES", "1"))
"""Factor on the number of inputs: 1 in CI, 10 in `make broken-inputs`."""
MOST_CPU_S = 2.0
"""Seconds of CPU that an input may take, on a core that others use, too."""
TRIED: Counter[str] = Counter()
"""Inputs tried so far in this process, by kind."""

P = ParamSpec("P")


def tries(kind: str, few: int = 60) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Try a test that hypothesis feeds on `few * TIMES` inputs of a kind, the same ones in every run.

    Stands above `hypothesis.given`. Inputs are counted under `kind` as they are tried; one that keeps the processor
    busy for longer than `MOST_CPU_S` fails, and hypothesis prints it.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        inner = test.hypothesis.inner_test  # type: ignore[attr-defined]  # what `given` calls for each input

        @functools.wraps(inner)
        def counted(*args: P.args, **kwargs: P.kwargs) -> None:
            TRIED[kind] += 1
            with bounded(MOST_CPU_S):
                inner(*args, **kwargs)

        test.hypothesis.inner_test = counted  # type: ignore[attr-defined]
        checks = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
        fixtures = hypothesis.HealthCheck.function_scoped_fixture
        size = hypothesis.settings(
            max_examples=few * TIMES, derandomize=True, deadline=None, suppress_health_check=[*checks, fixtures]
        )
        return size(test)

    return decorate
