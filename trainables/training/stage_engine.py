"""Build the model and the engine of a stage on all ranks of a group, and hand on the weights that it has trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from search_spaces.spec import StageSpec
from trainables.model.broadcast import Parts, broadcast_modules, broadcast_weights
from trainables.model.lora import add_lora, merge_adapters, train_adapters_only
from trainables.model.precision import dtype_of
from trainables.model.vision import VisionEncoder
from trainables.model.vlm import VLM, assemble, build_modules, module
from trainables.peak_memory import PeakMemory
from trainables.storage import layout
from trainables.storage.records import StageResult
from trainables.storage.store import Store
from trainables.task import Context, TrialTask
from trainables.training.compiled_layers import compile_layers, compiling
from trainables.training.deepspeed_config import deepspeed_config
from trainables.training.deterministic import deterministic_kernels
from trainables.training.device_memory import release_memory
from trainables.training.engine import Engine, no_traces, open_engine, partition
from trainables.training.hardware import check_device, drops_padding, set_attention
from trainables.training.weights_io import load_weights, save_weights, stored_modules
from trainables.trial_data import StageData, TrialData


@dataclass(frozen=True)
class OpenStage:
    """A stage that is ready to train."""

    engine: Engine
    data: StageData
    attention: str
    """Kernel of attention, by its name in transformers."""
    drops_padding: bool
    """Whether the records of a micro-batch are laid one after the other instead of being padded."""
    memory: PeakMemory
    """Since before the model was built."""


@contextmanager
def open_stage(
    task: TrialTask,
    index: int,
    earlier: Sequence[StageResult],
    data: TrialData,
    context: Context,
    store: Store,
) -> Iterator[OpenStage]:
    """Build the model of a stage and its engine; after the block nothing of them is left in the process.

    Args:
        task: the trial.
        index: position of the stage in the trial, from 0.
        earlier: results of the trial's earlier stages, whose weights it starts from.
        data: prepared data and tokenizer of the trial.
        context: rank, world size and device of this worker.
        store: storage of the earlier stages' weights.

    Raises:
        InputError: the device or the resources cannot train the stage.
    """
    release_memory()
    memory = PeakMemory(context.device)
    resources = task.stages[index].resources
    # the model's frame ends before its traces are looked for
    with (
        no_traces(),
        deterministic_kernels(resources.deterministic),
        compiling(resources.compile, context.device),
        _opened(task, index, earlier, data, context, store, memory) as stage,
    ):
        yield stage


@contextmanager
def _opened(
    task: TrialTask,
    index: int,
    earlier: Sequence[StageResult],
    data: TrialData,
    context: Context,
    store: Store,
    memory: PeakMemory,
) -> Iterator[OpenStage]:
    stage, order = task.trial.stages[index], task.stages[index]
    check_device(stage, context.device)
    config = deepspeed_config(stage, order.resources, context.device)
    use_features = task.has_features_of(part.source for part in stage.data.parts)

    dtype, device, cut = dtype_of(stage.precision), torch.device(context.device), partition(config)

    def begin() -> Parts:
        model = build_modules(task.trial, data.tokenizer, data.root, not use_features, stored_modules(earlier), dtype)
        load_weights(model, earlier, store)
        return dict(model.named_children())

    model = assemble(task.trial, broadcast_modules(begin, dtype, device, cut), data.tokenizer)
    if stage.lora is not None:
        present = set(model.parameters())
        add_lora(model.language, stage.lora, task.trial.draws.init, stage.name, model.draws)
        added = [parameter for parameter in model.parameters() if parameter not in present]
        broadcast_weights(added, dtype, device, cut)
    settle_gradients(model, stage)
    attention = set_attention(model.language, stage, context.device)
    drops = drops_padding(order.resources, attention, task.trial.language.family)
    if order.resources.compile:
        compile_layers(model.language)
    stage_data = StageData(data, task, stage, use_features, drops)
    with open_engine(model, stage, order.steps, config, context.device) as engine:
        yield OpenStage(engine, stage_data, attention, drops, memory)


def hand_on(engine: Engine, stage: StageSpec, key: str, context: Context, store: Store) -> dict[str, str]:
    """Write the weights that a stage has trained, from rank 0. A collective.

    Args:
        engine: of the stage.
        stage: that was trained.
        key: of the stage.
        context: rank of this worker.
        store: storage of the weights.

    Returns:
        Trained module -> digest of its file; empty on other ranks.
    """
    weights = engine.trained_weights()
    if context.rank != 0:
        return {}
    if stage.lora is not None:
        weights["language"] = merge_adapters(weights["language"], stage.lora)
    return save_weights(weights, store, layout.stage_folder(key))


def settle_gradients(model: VLM, stage: StageSpec) -> None:
    """Set `requires_grad` of all parameters: freeze the modules that the stage does not train.

    The encoder stays in evaluation mode even where it is trained: statistics over a batch would depend on how many
    workers share it. Its parameters after the layer that is read stay frozen: no gradient reaches them, but weight
    decay would.
    """
    model.requires_grad_(False)
    model.train()
    for name in stage.trains:
        module(model, name).requires_grad_(True)
    if stage.lora is not None:
        train_adapters_only(model.language)
    if isinstance(model.vision, VisionEncoder):
        model.vision.eval()
        if "vision" in stage.trains:
            unused = model.vision.unused_parameters()
            for key, parameter in model.vision.named_parameters():
                parameter.requires_grad_(key not in unused)
            if stage.activation_checkpointing:
                model.vision.set_grad_checkpointing()
    if stage.activation_checkpointing:
        model.language.activation_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        if "language" in stage.trains or "projector" in stage.trains:
            model.language.enable_input_require_grads()  # type: ignore[operator]
