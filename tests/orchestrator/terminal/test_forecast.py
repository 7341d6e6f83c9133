"""Claims about orchestrator/terminal/forecast.py."""

from __future__ import annotations

from orchestrator.planning.forecast import Forecast
from orchestrator.terminal.forecast import forecast_lines
from trainables.storage.records import Expected

SHOWN = Forecast(
    profile="mine",
    trials=3,
    stages=4,
    stages_unshared=6,
    device_hours=Expected(1830.4, 913.0, 3710.0),
    on_gpus=True,
    wall_hours=Expected(58.2, 29.0, 118.0),
    idle_share=0.021,
    money={"EUR": Expected(4656.0, 2320.0, 9440.0)},
    sources={"measured": 0.75, "assumed": 0.25},
    unfit={"wide": "asks for 99 GPUs"},
)


def test_forecast_lines_say_what_it_takes_between_which_numbers_and_on_what_they_rest() -> None:
    text = "\n".join(forecast_lines(SHOWN))
    assert "3 trials left, 4 stages; sharing saves 2 stages" in text
    assert "1,830 (between 913 and 3,710)" in text
    assert "58 (between 29 and 118), simulated; 2% of the GPUs idle" in text
    assert "EUR" in text
    assert "75% measured, 25% assumed" in text
    assert "never fits: wide asks for 99 GPUs" in text
