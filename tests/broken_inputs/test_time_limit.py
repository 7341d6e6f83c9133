"""No generated input may keep the program busy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import broken_inputs
from tests.support.broken_inputs import tries


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_an_input_that_keeps_the_processor_busy_fails_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(broken_inputs, "MOST_CPU_S", 0.05)

    @tries("time limit", few=1)
    @given(st.just("a bomb"))
    def answered(text: str) -> None:
        while text:
            pass

    with pytest.raises(pytest.fail.Exception, match="was still busy after") as failed:
        answered()
    assert any("text='a bomb'" in note for note in getattr(failed.value, "__notes__", ()))
