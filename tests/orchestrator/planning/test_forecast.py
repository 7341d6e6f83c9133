"""Claims about orchestrator/planning/forecast.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.profile import load_profile
from orchestrator.planning.estimates import Assumptions
from orchestrator.planning.forecast import Forecast, forecast
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study
from trainables.storage.store import LocalStore

PROFILE = """\
about: {gpus} GPUs a node
head: null
nodes:
  gpu:
    max: {nodes}
    cpus: 96
    gpus: {gpus}
    gpu: h100
    memory_gb: 1000
    price: {price}
interconnect: null
storage: null
"""


def on(folder: Path, nodes: int, gpus: int, price: str = "null") -> Forecast:
    file = folder / "mine.yaml"
    file.write_text(PROFILE.format(nodes=nodes, gpus=gpus, price=price))
    plan, store = plan_study(load_study("prismatic/design_space")), LocalStore(folder / "storage")
    return forecast(plan, read_ledger(plan, store), store, load_profile(str(file)), Assumptions())


def test_forecast_twice_the_nodes_take_half_the_time_and_as_many_gpu_hours(tmp_path: Path) -> None:
    four, eight = on(tmp_path, 4, 8), on(tmp_path, 8, 8)
    assert eight.device_hours == four.device_hours
    assert eight.wall_hours.expected == pytest.approx(four.wall_hours.expected / 2, rel=0.1)
    assert four.wall_hours.low < four.wall_hours.expected < four.wall_hours.high
    assert 0 < four.idle_share < 0.2
    assert four.trials == 49


def test_forecast_money_is_that_of_all_nodes_for_the_whole_time(tmp_path: Path) -> None:
    price = "{per_hour: 10.0, currency: EUR, source: a contract, date: 2026-11-01}"
    priced = on(tmp_path, 8, 8, price)
    assert priced.money["EUR"].expected == pytest.approx(80 * priced.wall_hours.expected)
    assert priced.money["EUR"].high == pytest.approx(80 * priced.wall_hours.high)
    assert on(tmp_path, 8, 8).money == {}


def test_forecast_names_what_never_fits(tmp_path: Path) -> None:
    small = on(tmp_path, 1, 4)
    assert small.trials == 0
    assert len(small.unfit) == 49
    assert small.wall_hours.expected == 0.0
