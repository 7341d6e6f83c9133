"""Claims about dropout that follows records."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.model.dropout import Draws, RecordDropout, keep_mask, record_draws, replace_dropout


def test_a_records_mask_depends_on_neither_its_place_nor_the_padding_nor_the_others() -> None:
    draws = record_draws(7, "finetune", 3, [11, 5, 8])
    whole = keep_mask(draws, 2, (20, 16), 0.3)
    alone = keep_mask(record_draws(7, "finetune", 3, [8]), 2, (9, 16), 0.3)
    assert torch.equal(whole[2, :9], alone[0])


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_the_share_that_is_dropped_is_the_probability(p: float) -> None:
    kept = keep_mask(record_draws(7, "finetune", 0, range(64)), 0, (100, 64), p).float()
    n = kept.numel()
    assert abs(float(kept.mean()) - (1 - p)) < 5 * (p * (1 - p) / n) ** 0.5
    for dimension in (0, 1, 2):
        shares = kept.mean(dim=[d for d in range(3) if d != dimension])
        assert float((shares - (1 - p)).abs().max()) < 6 * (p * (1 - p) * kept.shape[dimension] / n) ** 0.5


def test_records_steps_seeds_stages_and_layers_draw_independently() -> None:
    def mask(seed: int = 7, stage: str = "a", step: int = 0, record: int = 0, number: int = 0) -> torch.Tensor:
        return keep_mask(record_draws(seed, stage, step, [record]), number, (128, 128), 0.5).float() - 0.5

    base = mask()
    for changed in (mask(seed=8), mask(stage="b"), mask(step=1), mask(record=1), mask(number=1), base.roll(1, 1)):
        agreement = float((base * changed).mean()) * 4
        assert abs(agreement) < 5 / 128


def test_every_dropout_layer_of_a_model_follows_records_and_evaluation_drops_nothing() -> None:
    draws = Draws()
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.25), nn.Dropout(0.0)))
    replace_dropout(model, draws)
    assert [type(layer).__name__ for layer in model[2]] == ["RecordDropout", "Dropout"]
    values = torch.ones(2, 3, 4)
    with pytest.raises(ValueError, match="needs the draws"):
        model(values)
    draws.seeds_B = record_draws(7, "a", 0, [1, 2])
    state = torch.get_rng_state()
    assert torch.equal(model(values), model(values))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model[1].eval()(values), values)


def test_what_stays_is_scaled_so_that_the_mean_does_not_change() -> None:
    draws = Draws()
    draws.seeds_B = record_draws(7, "a", 0, range(32))
    dropped = RecordDropout(0.25, 0, draws)(torch.ones(32, 50, 40))
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
