"""Two real processes on gloo, without Ray: hardware shape changes rounding only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from search_spaces.spec import MixPart, MixSpec
from tests.support.clean_process import CLEAN
from tests.support.gloo_pair import rank_of_two, run_on_two
from tests.support.tiny_specs import SGD, language, source, stage, vision
from tests.support.tiny_trials import losses, make_task, run
from trainables.model.tokenizer import byte_tokenizer
from trainables.model.vlm import build_modules
from trainables.storage import layout
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))


def _weights(task: TrialTask) -> dict[str, torch.Tensor]:
    folder = Path(task.storage) / layout.stage_folder(task.stages[-1].key)
    return {
        f"{name}.{key}": t
        for name in ("projector", "language")
        for key, t in load_file(folder / f"{name}.safetensors").items()
    }


ZEROS = (0, 1, 2, 3)
DECAYING = SGD.model_copy(update={"weight_decay": 0.1})
STILL = SGD.model_copy(update={"lr": 1e-30, "clip": None})
"""A step of this changes no bit of a weight."""


def test_two_workers_train_to_the_losses_and_weights_of_one(tmp_path: Path) -> None:
    stages = (stage(optimizer=DECAYING, data=MIXED, max_steps=8),)
    alone = make_task(tmp_path / "one", stages=stages)
    expected = torch.tensor(losses(run(alone)))
    both = [make_task(tmp_path / f"two{zero}", stages=stages, workers=2, zero=zero, micro_batch=2) for zero in ZEROS]
    single = _weights(alone)
    for task, seen in zip(both, run_on_two(both), strict=True):
        torch.testing.assert_close(torch.tensor(seen), expected, rtol=1e-5, atol=0)
        double = _weights(task)
        assert max(float((single[key] - double[key]).abs().max()) for key in single) <= 1e-6


def test_two_workers_train_in_bf16_to_the_losses_of_one(tmp_path: Path) -> None:
    """Up to the rounding of bf16, with 1, 4 or 16 micro-batches a worker."""
    stages = (stage(precision="bf16", global_batch=32, max_steps=6),)
    alone = make_task(tmp_path / "one", stages=stages, zero=2, micro_batch=1, benchmarks=())
    shapes = [(zero, micro) for zero in (2, 3) for micro in (16, 4, 1)]
    both = [
        make_task(tmp_path / f"{z}-{micro}", stages=stages, workers=2, zero=z, micro_batch=micro, benchmarks=())
        for z, micro in shapes
    ]
    expected = torch.tensor(losses(run(alone)))
    for seen in run_on_two(both):
        torch.testing.assert_close(torch.tensor(seen), expected, rtol=2e-3, atol=0)


def test_text_and_fillers_beside_images_cannot_hang_whatever_is_trained(tmp_path: Path) -> None:
    """Micro-batches of one record: ranks meet in all pairs of image, text and filler; frozen modules are gathered,
    too, in ZeRO 3."""
    tower = vision(arch="test_vit", family="vit", patch=16, width=64, resolution=32, tokens=4, options={"img_size": 32})
    cases = [(zero, trains) for zero in ZEROS for trains in (("vision", "projector", "language"), ("projector",))]
    tasks = []
    for number, (zero, trains) in enumerate(cases):
        stage_spec = stage(optimizer=SGD, data=MIXED, max_steps=6, trains=trains)
        tasks.append(
            make_task(
                tmp_path / str(number),
                stages=(stage_spec,),
                vision_spec=tower,
                cached=False,
                benchmarks=(),
                workers=2,
                zero=zero,
                micro_batch=1,
            )
        )
    seen = run_on_two(tasks)
    for trains, first in ((cases[0][1], seen[0]), (cases[1][1], seen[1])):
        alone = make_task(
            tmp_path / f"alone{len(trains)}", vision_spec=tower,  cached=False, benchmarks=(),
            stages=(stage(optimizer=SGD, data=MIXED, max_steps=6, trains=trains),),
        )  # fmt: skip
        expected = torch.tensor(losses(run(alone)))
        torch.testing.assert_close(torch.tensor(first), expected, rtol=1e-5, atol=0)
        for (_, modules), curve in zip(cases, seen, strict=True):
            if modules == trains:
                torch.testing.assert_close(torch.tensor(curve), expected, rtol=1e-5, atol=0)


def test_a_model_begins_with_the_same_bits_however_it_is_broadcast(tmp_path: Path) -> None:
    """Random weights and those of a local checkpoint, at one and two workers, at every ZeRO stage."""
    tied = LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=64,
        vocab_size=260, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(5)
    checkpoint = LlamaForCausalLM(tied)
    for origin in (None, "path:checkpoint"):
        spec = language(checkpoint=origin) if origin else language()
        for number in range(2 * len(ZEROS) if origin else 0):
            checkpoint.save_pretrained(
                tmp_path / f"{origin}-{1 + number // len(ZEROS)}-{number % len(ZEROS)}/checkpoint"
            )
        tasks = [
            make_task(
                tmp_path / f"{origin}-{workers}-{zero}", stages=(stage(optimizer=STILL, max_steps=1),),
                language_spec=spec, cached=False, benchmarks=(), workers=workers, zero=zero,
            )
            for workers in (1, 2) for zero in ZEROS
        ]  # fmt: skip
        for task in tasks[: len(ZEROS)]:
            run(task)
        run_on_two(tasks[len(ZEROS) :])
        plain = build_modules(tasks[0].trial, byte_tokenizer(), Path(tasks[0].data), with_vision=False)
        expected = {name: value for name, value in plain.named_parameters() if not name.startswith("vision")}
        for task in tasks:
            weights = _weights(task)
            assert weights.keys() == expected.keys()
            assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_what_another_rank_sees_of_storage_decides_nothing(tmp_path: Path) -> None:
    """A machine may see a file of a shared file system later than another."""
    task = make_task(tmp_path, stages=(stage(max_steps=2),), workers=2)
    seen = run_on_two([task, task], before=_see_too_late)
    assert [len(losses) for losses in seen] == [2, 0]
    assert list((tmp_path / "evaluations").rglob("shapes.json"))


def _see_too_late() -> None:
    """Have rank 1 see scores that are not there, and none of the results that are."""
    exists = LocalStore.exists

    def seen(store: LocalStore, name: str) -> bool:
        if os.environ.get("RANK") == "1" and name.endswith(".json") and name.startswith(("evaluations", "stages")):
            return name.startswith("evaluations")
        return exists(store, name)

    LocalStore.exists = seen  # type: ignore[method-assign]


def test_what_fails_on_rank_0_fails_on_all_ranks_at_once(tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere/config.json").write_text("{}")
    task = make_task(
        tmp_path, language_spec=language(checkpoint="path:nowhere"), cached=False, benchmarks=(), workers=2
    )
    addresses, answers = CLEAN.Queue(), CLEAN.Queue()
    processes = [CLEAN.Process(target=_failing_rank, args=(task, rank, addresses, answers)) for rank in (0, 1)]
    for process in processes:
        process.start()
    messages = dict(answers.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=60)
    assert "nowhere" in messages[0]
    assert "rank 0 has failed" in messages[1]


def _failing_rank(task: TrialTask, rank: int, addresses: Any, answers: Any) -> None:
    try:
        rank_of_two([task], rank, addresses, answers)
    except Exception as error:
        answers.put((rank, str(error)))
