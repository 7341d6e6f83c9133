"""Claims about orchestrator/running/signals.py."""

from __future__ import annotations

import signal

import pytest

from orchestrator.running.signals import InterruptedRunError, record_signals


def test_a_signal_is_noted_and_leaves_the_block_where_it_is_asked_for() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with record_signals() as received:
        received.raise_if_any()
        signal.raise_signal(signal.SIGTERM)
        assert received.first == signal.SIGTERM
        with pytest.raises(InterruptedRunError, match="SIGTERM"):
            received.raise_if_any()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # a second one has its usual effect
    assert signal.getsignal(signal.SIGTERM) is before
