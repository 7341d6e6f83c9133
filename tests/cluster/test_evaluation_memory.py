"""Claims about cluster/evaluation_memory.py: what a worker holds while it answers questions."""

from __future__ import annotations

from dataclasses import replace

from cluster.evaluation_memory import evaluated_positions, evaluation_memory
from cluster.memory import reserved_bytes
from search_spaces.question_memory import CACHE_BYTES
from search_spaces.resource_spec import ResourceSpec
from tests.support.sized_stages import SIZE_7B, TRAINED, sized_stage

ON_GPUS = ResourceSpec(workers=8, gpus_per_worker=1, zero=3)


def test_every_worker_has_the_whole_model_whatever_trained_it() -> None:
    eight = evaluation_memory(SIZE_7B, sized_stage(), ON_GPUS, cached=False)
    offloaded = ResourceSpec(gpus_per_worker=1, zero=3, offload="optimizer+params")
    assert eight == evaluation_memory(SIZE_7B, sized_stage(), offloaded, cached=False)
    assert (eight.weights, eight.encoder) == (2 * TRAINED, 2 * 303_507_456)
    assert (eight.gradients, eight.optimizer, eight.host) == (0, 0, 0)


def test_keys_and_values_are_those_of_the_largest_batch_and_its_copy() -> None:
    memory = evaluation_memory(SIZE_7B, sized_stage(), ON_GPUS, cached=False)
    assert evaluated_positions(SIZE_7B, sized_stage()) == CACHE_BYTES // (2 * 32 * 4096 * 2)
    assert CACHE_BYTES < memory.activations <= 1.5 * CACHE_BYTES
    shared = replace(SIZE_7B, language=SIZE_7B.language.model_copy(update={"kv_heads": 8}))
    assert evaluation_memory(shared, sized_stage(), ON_GPUS, cached=False).activations < memory.activations


def test_weights_of_an_evaluation_have_the_precision_of_the_last_stage() -> None:
    full, half = (
        evaluation_memory(SIZE_7B, sized_stage(precision=precision), ON_GPUS, cached=False)
        for precision in ("fp32", "bf16")
    )
    assert (full.weights, full.encoder) == (2 * half.weights, 2 * half.encoder)


def test_an_encoder_whose_features_are_cached_is_not_there_and_a_cpu_has_no_reserve() -> None:
    cached = evaluation_memory(SIZE_7B, sized_stage(), ON_GPUS, cached=True)
    on_cpu = evaluation_memory(SIZE_7B, sized_stage(), ResourceSpec(), cached=True)
    assert cached.encoder == 0
    assert cached.workspace - on_cpu.workspace == reserved_bytes(ON_GPUS) > 0
