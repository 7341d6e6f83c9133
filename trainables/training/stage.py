"""Train one stage: build the model, train it, save its weights, and yield after every optimizer step."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from search_spaces.errors import InputError
from search_spaces.outcomes import UnitDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import checkpoint_form, micro_batch, resources_as_run
from search_spaces.spec import StageSpec
from trainables.data.mix import Mix
from trainables.storage import layout, tracked_names
from trainables.storage.record_files import write
from trainables.storage.records import StagePeak, StageResult
from trainables.storage.store import Store
from trainables.task import Context, StageTask, TrialTask
from trainables.training.checkpoint_times import CheckpointTimes
from trainables.training.checkpoint_writers import WRITERS
from trainables.training.engine import Engine
from trainables.training.hardware import (
    device_name,
    flops_utilisation,
    peak_flops,
    provenance,
)
from trainables.training.history import Point, Resumed, curve_of
from trainables.training.stage_engine import hand_on, open_stage
from trainables.training.step_checkpoints import StepCheckpoints, remove_checkpoints
from trainables.trial_data import StageData, StepInput, TrialData
from trainables.workers.process_group import from_all_ranks, from_rank_0, wait_for_all


def train_stage(
    task: TrialTask,
    index: int,
    earlier: list[StageResult],
    data: TrialData,
    context: Context,
    store: Store,
    on_resume: Callable[[Resumed], None],
) -> Iterator[tuple[UnitDone, dict[str, float]]]:
    """Train a stage and write its weights and its result, resuming from its last checkpoint if there is one.

    Args:
        task: the trial.
        index: position of the stage in the trial, from 0.
        earlier: results of the trial's earlier stages, whose weights it starts from.
        data: prepared data and tokenizer of the trial.
        context: rank, world size and device of this worker.
        store: storage of weights, checkpoints and results.
        on_resume: is told, before the first step, where a stage goes on that has checkpoints.

    Yields:
        Progress and the step's metrics after every optimizer step, on all ranks equally often.

    Raises:
        InputError: the device or the resources cannot train the stage.
    """
    stage, order = task.trial.stages[index], task.stages[index]
    with open_stage(task, index, earlier, data, context, store) as opened:
        loop = _StageLoop(opened.engine, stage, order, opened.data, context, store)
        resumed = loop.resume()
        if resumed is not None:
            on_resume(resumed)
        with closing(loop.writer):
            yield from loop.train()
            loop.writer.end()
        modules = hand_on(opened.engine, stage, order.key, context, store)
        peaks = from_all_ranks(lambda: (opened.memory.read(), opened.memory.read_allocated()))
        if context.rank == 0:
            result = loop.result(
                modules,
                opened.data.mix,
                {
                    **provenance(stage, order.resources, context, opened.attention, opened.drops_padding),
                    **loop.provenance(),
                },
                _stage_peak(peaks, stage, order),
            )
            write(store, layout.stage_curve(order.key), curve_of(loop.history))
            store.remove(layout.damage_mark(layout.stage_folder(order.key)))  # of weights that these replace
            write(store, layout.stage_result(order.key), result)
            remove_checkpoints(store, order.key)
    wait_for_all()


def loader_threads(resources: ResourceSpec, is_gpu: bool, decodes: bool) -> int:
    """Count the threads that load batches ahead: the worker's CPUs except the one that computes or drives the GPU.

    On a CPU there are none where nothing is decoded: cached features are mapped, and reading them ahead gains nothing.

    Args:
        resources: CPUs of a worker.
        is_gpu: whether the worker computes on a GPU.
        decodes: whether images are decoded, rather than their features read.
    """
    spare = int(resources.cpus_per_worker) - 1
    if is_gpu:
        return max(1, spare)
    return spare if decodes else 0


def _stage_peak(peaks: Sequence[tuple[int | None, int | None]], stage: StageSpec, order: StageTask) -> StagePeak | None:
    """Return the memory of the rank that took the most, beside the plan's; None where no rank knows its own.

    Args:
        peaks: bytes reserved and allocated, by rank.
        stage, order: what was trained, with what the plan expects of it.
    """
    reserved = [reserved for reserved, _ in peaks if reserved is not None]
    if not reserved:
        return None
    allocated = [allocated for _, allocated in peaks if allocated is not None]
    planned = dict(order.expected_memory).get(micro_batch(stage, order.resources))
    return StagePeak(max(reserved), max(allocated, default=None), planned)


class _StageLoop:
    """Training loop of one stage, with its losses, history and timings."""

    def __init__(
        self,
        engine: Engine,
        stage: StageSpec,
        order: StageTask,
        data: StageData,
        context: Context,
        store: Store,
    ) -> None:
        self._engine, self._stage, self._order = engine, stage, order
        self._data, self._context = data, context
        self._checkpoints = StepCheckpoints(store, order.key, resources_as_run(stage, order.resources), context)
        self.writer = WRITERS[checkpoint_form(order.resources)](self._checkpoints, engine, context)
        """Of its checkpoints."""
        self._micro = micro_batch(stage, order.resources)
        self._peak = peak_flops(device_name(context.device), stage.precision)
        self._seconds, self._device_seconds, self._records = 0.0, 0.0, 0
        self._cost_s = 0.0
        self._diverged = False
        self._checkpoint_times = CheckpointTimes(order.resources, from_rank_0)
        self._groups = [self._checkpoints.group]
        self.losses: list[float] = []
        self.history: list[Point] = []
        """What was logged: a trial that shares this stage, or goes on from its checkpoint, shows it, too."""

    def train(self) -> Iterator[tuple[UnitDone, dict[str, float]]]:
        """Run the optimizer steps that are left; a loss that is not finite ends the loop."""
        steps, every = self._order.steps, max(1, self._order.steps // 250)
        with closing(self._inputs(range(len(self.losses), steps))) as inputs:
            while len(self.losses) < steps and not self._diverged:
                started, step = time.perf_counter(), len(self.losses)
                batch = next(inputs)
                learning_rate = self._engine.learning_rate()
                loss, votes = self._engine.step(batch.batches, batch.passes, batch.targets, self.writer.vote())
                self.losses.append(loss)
                self._diverged = not math.isfinite(loss)
                elapsed = time.perf_counter() - started
                self._seconds += elapsed
                self._device_seconds += elapsed * self._context.world
                self._cost_s += elapsed * self._context.world * self._order.resources.devices_per_worker
                self._records += batch.records
                metrics = {}
                if step % every == 0 or step + 1 == steps or self._diverged:
                    metrics = {
                        tracked_names.TRAIN_LOSS: loss,
                        tracked_names.TRAIN_LR: learning_rate,
                        tracked_names.TRAIN_SAMPLES_PER_S: batch.records / elapsed,
                        **self._utilisation(batch.records, elapsed * self._context.world),
                    }
                    self.history.append((step, metrics))
                self.writer.settle(votes)
                if self._checkpoint_times.is_due(step + 1) and step + 1 < steps and not self._diverged:
                    self._checkpoint(step + 1)
                yield self._progress(step + 1, loss), metrics

    def _inputs(self, steps: range) -> Generator[StepInput, None, None]:
        context, is_gpu = self._context, self._context.device == "cuda"
        threads = loader_threads(self._order.resources, is_gpu, self._data.decodes)
        return self._data.steps(steps, context.rank, context.world, self._micro, threads, pinned=is_gpu)

    def result(
        self, modules: dict[str, str], mix: Mix, provenance: dict[str, str], memory: StagePeak | None
    ) -> StageResult:
        """Build the result of the finished stage.

        Args:
            modules: trained module -> digest of its file of weights.
            mix: what was trained on.
            provenance: versions and settings that may change rounding.
            memory: that its workers have taken.
        """
        finite = [loss for loss in self.losses if math.isfinite(loss)]
        return StageResult(
            key=self._order.key,
            name=self._stage.name,
            steps=len(self.losses),
            modules=modules,
            final_loss=finite[-1] if finite else None,
            diverged=self._diverged,
            losses_digest=hashlib.sha256(" ".join(loss.hex() for loss in self.losses).encode()).hexdigest(),
            gpu_seconds=self._cost_s,
            samples_per_second=self._records / max(self._seconds, 1e-9),
            mfu=self._utilisation(self._records, max(self._device_seconds, 1e-9)).get(tracked_names.TRAIN_MFU),
            counts=mix.counts,
            left_out=mix.left_out,
            provenance=provenance,
            memory=memory,
        )

    def provenance(self) -> dict[str, str]:
        """Name the groups of workers that have trained the stage, in their order; empty if it was one."""
        return {"groups": "; ".join(self._groups)} if len(self._groups) > 1 else {}

    def _utilisation(self, records: int, device_seconds: float) -> dict[str, float]:
        """Compute the metric `train/mfu`; empty where operations or the device's peak are not known."""
        operations = self._order.operations_per_record
        if operations is None or self._peak is None:
            return {}
        return {tracked_names.TRAIN_MFU: flops_utilisation(operations * records, device_seconds, self._peak)}

    def _progress(self, step: int, loss: float) -> UnitDone:
        rate = self._records / max(self._seconds, 1e-9)
        left = (self._order.steps - step) * self._stage.global_batch
        return UnitDone(
            node=self._order.node,
            label=self._stage.name,
            step=step,
            steps=self._order.steps,
            loss=loss if math.isfinite(loss) else None,
            rate=rate,
            eta_s=left / rate,
        )

    def _checkpoint(self, step: int) -> None:
        """Write a checkpoint of all ranks, or begin to."""
        state = {
            "losses": self.losses,
            "history": self.history,
            "seconds": self._seconds,
            "device_seconds": self._device_seconds,
            "cost_s": self._cost_s,
            "records": self._records,
            "groups": self._groups,
        }
        self.writer.save(step, state)
        self._checkpoint_times.written()

    def resume(self) -> Resumed | None:
        """Go on from the newest checkpoint that is whole.

        Returns None where no checkpoint was found at all.
        """
        name = self._stage.name
        print(f"training stage {name} {self._order.key}", flush=True)
        folder = self._checkpoints.newest()
        passed_over = self._checkpoints.passed_over
        if folder is not None:
            try:
                state = self._engine.load(folder, self._checkpoints.files)
                self.losses, self.history = state["losses"], state["history"]
                self._seconds, self._records = state["seconds"], state["records"]
                self._device_seconds = state.get("device_seconds", self._seconds * self._context.world)
                self._cost_s = state.get("cost_s", self._device_seconds * self._order.resources.devices_per_worker)
                written_by = self._checkpoints.written_by or self._checkpoints.group
                self._groups = list(dict.fromkeys([*state.get("groups", [written_by]), *self._groups]))
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                raise InputError(
                    f"must be a checkpoint of the stage {name!r}, but cannot be loaded, though complete ({error!r})",
                    place=str(folder),
                    way_out="Remove the folder and run the study again: an earlier checkpoint is used, or the stage"
                    " starts anew.",
                ) from error
            print(f"{name}: going on from step {len(self.losses)}", flush=True)
            if self._checkpoints.written_by:
                print(f"{name}: that checkpoint was written by {self._checkpoints.written_by}", flush=True)
        elif passed_over:
            print(f"{name}: starts anew, as none of its {len(passed_over)} checkpoints can be used", flush=True)
        else:
            return None
        return Resumed(name, len(self.losses), tuple(self.history), passed_over)
