"""Claims about encoders in whole trials: from checkpoints in the hub's format, through training, to scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from search_spaces.spec import MixPart, MixSpec, OptimizerSpec, ProjectorSpec
from tests.support.hub_checkpoints import FAMILIES, PAIRS, encoder_spec
from tests.support.tiny_specs import ADAMW, source, stage, vision
from tests.support.tiny_trials import losses, make_task, run
from trainables.evaluation.evaluate import load_trained
from trainables.evaluation.results import evaluation_key
from trainables.model.vision import build_vision
from trainables.model.vlm import build_modules
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import Curve, EvaluationResult, StageResult, TrialResult
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask
from trainables.training.stage_engine import settle_gradients
from trainables.training.weights_io import save_weights
from trainables.trial_data import TrialData

EVERYTHING = ("vision", "projector", "language")
ENCODERS = [*FAMILIES, *PAIRS]


def _trained(task: TrialTask, name: str = "vision") -> Path:
    return Path(task.storage) / layout.stage_folder(task.stages[-1].key) / f"{name}.safetensors"


def _results(task: TrialTask) -> list[StageResult]:
    store = LocalStore(Path(task.storage))
    return [result for order in task.stages if (result := read(store, layout.stage_result(order.key), StageResult))]


def _loaded(task: TrialTask) -> dict[str, torch.Tensor]:
    """The encoder's weights that scoring takes."""
    store = LocalStore(Path(task.storage))
    model = load_trained(task, _results(task), TrialData(task, store), Context(), store)
    assert model.vision is not None
    return dict(model.vision.state_dict())


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("way", ["frozen", "finetuned"])
def test_every_encoder_trains_from_its_checkpoint_and_is_scored(name: str, way: str, tmp_path: Path) -> None:
    stages = (
        stage("align", trains=("projector",), prompt="caption", max_steps=2),
        stage(trains=EVERYTHING, max_steps=3, activation_checkpointing=True)
        if way == "finetuned"
        else stage(max_steps=3),
    )
    spec = encoder_spec(name, tmp_path)
    task = make_task(tmp_path, vision_spec=spec, cached=way == "frozen", stages=stages)
    assert all(math.isfinite(loss) for loss in losses(run(task)))
    result = read(LocalStore(tmp_path), layout.trial_result(task.study, task.id), TrialResult)
    assert result is not None
    score = read(LocalStore(tmp_path), result.evaluations["shapes"], EvaluationResult)
    assert score is not None
    assert score.n == 10


def test_streamed_features_of_a_pair_train_to_the_losses_of_cached_ones(tmp_path: Path) -> None:
    curves = []
    for cached in (True, False):
        spec = encoder_spec("dino+siglip", tmp_path / str(cached))
        curves.append(losses(run(make_task(tmp_path / str(cached), vision_spec=spec, cached=cached))))
    torch.testing.assert_close(torch.tensor(curves[1]), torch.tensor(curves[0]), rtol=1e-4, atol=0)


def test_a_pairs_keys_depend_on_the_weights_of_each_part(tmp_path: Path) -> None:
    task = make_task(tmp_path, vision_spec=encoder_spec("dino+siglip", tmp_path))
    for part in ("dinov2", "siglip"):
        file = tmp_path / "hub" / "timm" / part / "model.safetensors"
        weights = load_file(file)
        save_file({**weights, "pos_embed": weights["pos_embed"] + 1}, file)
        changed = make_task(tmp_path, vision_spec=task.trial.vision)
        assert changed.stages[0].key != task.stages[0].key
        assert changed.features[0].key != task.features[0].key
        assert evaluation_key(changed.trial, changed.digests, task.benchmarks[0], []) != evaluation_key(
            task.trial, task.digests, task.benchmarks[0], []
        )
        task = changed


# ---------------------------------------------------------------- finetuned encoders


@pytest.mark.parametrize("name", ["clip", "dino+siglip"])
def test_the_encoder_that_is_scored_is_the_one_that_was_saved(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name, tmp_path)
    task = make_task(tmp_path, vision_spec=spec, cached=False, stages=(stage(trains=EVERYTHING, max_steps=2),))
    run(task)
    start, saved = build_vision(spec, task.trial.seed, tmp_path).state_dict(), load_file(_trained(task))
    assert saved.keys() == start.keys()
    assert any(not torch.equal(saved[key], start[key]) for key in saved)
    scored = _loaded(task)
    assert all(torch.equal(scored[key], saved[key]) for key in saved)

    perturbed = {key: tensor + 0.25 for key, tensor in saved.items()}
    store, (result,) = LocalStore(tmp_path), _results(task)
    key_before = evaluation_key(task.trial, task.digests, task.benchmarks[0], [result])
    digests = save_weights({"vision": perturbed}, store, layout.stage_folder(task.stages[0].key))
    result = replace(result, modules={**result.modules, **digests})
    write(store, layout.stage_result(task.stages[0].key), result)
    scored = _loaded(task)
    assert all(torch.equal(scored[key], perturbed[key]) for key in perturbed)
    assert evaluation_key(task.trial, task.digests, task.benchmarks[0], [result]) != key_before


def test_a_trial_that_trains_its_encoder_cannot_read_features_of_the_frozen_one(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="must not read features of the untrained one"):
        make_task(tmp_path, cached=True, stages=(stage("align", trains=("projector",)), stage(trains=EVERYTHING)))


def test_the_encoders_learning_rate_has_a_factor_of_its_own(tmp_path: Path) -> None:
    spec, moved = encoder_spec("siglip", tmp_path), {}
    start = build_vision(spec, 7, tmp_path).state_dict()
    for scale in (1.0, 0.1, 0.0):
        optimizer = OptimizerSpec(kind="sgd", lr=0.5, clip=None, lr_scale={"vision": scale})
        task = make_task(
            tmp_path,
            vision_spec=spec,
            cached=False,
            stages=(stage(trains=EVERYTHING, max_steps=1, optimizer=optimizer, schedule={"kind": "constant"}),),
        )
        run(task)
        weights = load_file(_trained(task))
        moved[scale] = torch.cat([(weights[key] - start[key]).flatten() for key in sorted(weights)])
        assert _results(task)[0].modules.keys() == set(EVERYTHING)
    assert moved[1.0].abs().max() > 1e-4
    torch.testing.assert_close(moved[0.1], moved[1.0] * 0.1, rtol=1e-3, atol=1e-6)
    assert not moved[0.0].any()


def test_the_logged_learning_rate_is_the_stages_own(tmp_path: Path) -> None:
    optimizer = ADAMW.model_copy(update={"lr_scale": {"vision": 0.1}})
    trains = stage(trains=EVERYTHING, max_steps=4, optimizer=optimizer)
    task = make_task(tmp_path, cached=False, stages=(trains,))
    run(task)
    curve = read(LocalStore(tmp_path), layout.stage_curve(task.stages[0].key), Curve)
    assert curve is not None
    assert [rate for _, _, rate in curve.curve] == pytest.approx([0.0015, 0.003, 0.003, 0.0015])


@pytest.mark.parametrize("name", ["siglip", "dino+clip"])
def test_activation_checkpointing_covers_an_encoder_that_trains_and_changes_nothing(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name, tmp_path)
    curves = [
        losses(run(make_task(tmp_path, vision_spec=spec, cached=False, stages=(stage_spec,))))
        for stage_spec in (
            stage(trains=EVERYTHING, activation_checkpointing=again, max_steps=3) for again in (False, True)
        )
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("trains", [EVERYTHING, ("projector",)])
def test_blocks_of_an_encoder_run_again_on_the_way_back_only_where_it_trains(
    trains: tuple[str, ...], tmp_path: Path
) -> None:
    checkpointed = stage(trains=trains, activation_checkpointing=True)
    task = make_task(tmp_path, vision_spec=encoder_spec("clip", tmp_path), cached=False, stages=(checkpointed,))
    data = TrialData(task, LocalStore(tmp_path))
    model = build_modules(task.trial, data.tokenizer, tmp_path, with_vision=True)
    settle_gradients(model, task.trial.stages[0])
    runs: list[str] = []
    assert model.vision is not None
    block = model.vision.get_submodule("tower.blocks.0")
    block.register_forward_pre_hook(lambda *_: runs.append("forward"))
    image_BCHW = torch.randn(1, 3, task.trial.vision.resolution, task.trial.vision.resolution)
    features = model.projector(model.vision(image_BCHW))
    features.sum().backward()
    assert len(runs) == (2 if "vision" in trains else 1)


def test_what_no_feature_depends_on_stays_as_the_checkpoint_has_it(tmp_path: Path) -> None:
    spec = encoder_spec("siglip", tmp_path)
    decaying = ADAMW.model_copy(update={"weight_decay": 0.5})
    trains = stage(trains=EVERYTHING, max_steps=2, optimizer=decaying)
    task = make_task(tmp_path, vision_spec=spec, cached=False, stages=(trains,), zero=2)
    run(task)
    encoder, saved = build_vision(spec, 7, tmp_path), load_file(_trained(task))
    unused = encoder.unused_parameters()
    assert all(torch.equal(saved[key], tensor) == (key in unused) for key, tensor in encoder.named_parameters())


@pytest.mark.parametrize("conv", [True, False])
def test_an_encoder_trains_on_mixed_modalities_to_the_same_losses_at_every_zero_stage(
    conv: bool, tmp_path: Path
) -> None:
    """Steps without images must not bring back the gradients of earlier ones."""
    vit = vision(arch="test_vit", family="vit", patch=16, width=64, tokens=16, options={"img_size": 64})
    mix = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))
    trains = stage(data=mix, trains=EVERYTHING, max_steps=8)
    curves = [
        losses(
            run(
                make_task(
                    tmp_path / str(zero), vision_spec=None if conv else vit, cached=False, stages=(trains,), zero=zero
                )
            )
        )
        for zero in (0, 1, 2, 3)
    ]
    for curve in curves[1:]:
        torch.testing.assert_close(torch.tensor(curve), torch.tensor(curves[0]), rtol=1e-5, atol=0)


# ---------------------------------------------------------------- projectors


@pytest.mark.parametrize(("kind", "depth"), [("linear", None), ("gelu-mlp", 4), ("fused-gelu-mlp", 2)])
def test_projectors_of_every_kind_and_depth_train_and_are_scored(kind: str, depth: int | None, tmp_path: Path) -> None:
    projector = ProjectorSpec.model_validate({"kind": kind, "depth": depth})
    task = make_task(tmp_path, projector_spec=projector, stages=(stage(max_steps=2),))
    run(task)
    layers = sum(tensor.ndim == 2 for tensor in load_file(_trained(task, "projector")).values())
    assert layers == projector.layers
    assert LocalStore(tmp_path).list("evaluations")
