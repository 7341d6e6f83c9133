"""Specify what a trial runs on. None of it enters a trial's identity: it changes rounding at most."""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

from pydantic import Field

from search_spaces.node_labels import ACCELERATOR_LABEL, LabelKey, LabelSelector, LabelValue
from search_spaces.spec import Positive, Spec

Offload = Literal["none", "optimizer", "optimizer+params"]
Padding = Literal["auto", "keep", "drop"]
CheckpointForm = Literal["wait", "background"]
CheckpointCopy = Literal["auto", CheckpointForm]


class ResourceSpec(Spec):
    """Workers, devices, memory and checkpoints of a trial. Changes rounding at most, so none of it enters identity."""

    workers: Positive = 1
    """Processes that train a trial together, a rank each."""
    gpus_per_worker: Annotated[float, Field(ge=0)] = 0
    """GPUs of each worker; 0 trains on CPUs."""
    cpus_per_worker: Annotated[float, Field(gt=0)] = 1
    """CPU cores that each worker reserves."""
    accelerator: LabelValue | None = None
    """Kind of GPU that its nodes have, as Ray names it: `H100`. None for any."""
    labels: dict[LabelKey, LabelSelector] = Field(default={})
    """Labels of its nodes, name -> value, `in(value,value)`, or either of them after a `!`: `{market: "!spot"}`."""
    zero: Literal[0, 1, 2, 3] = 0
    """ZeRO stage: what the workers divide among them (1: optimizer states, 2: gradients too, 3: weights too)."""
    offload: Offload = "none"
    """What lives in the host's memory: `optimizer` (states and fp32 weights; ZeRO 1 to 3), `optimizer+params` (the
    weights too; ZeRO 3 only)."""
    micro_batch: Positive | None = None
    """Records per worker and forward pass; None for the whole share of a worker."""
    padding: Padding = "auto"
    """Whether records of a micro-batch are padded to its longest (`keep`), or laid one after the other in one row
    (`drop`). `auto` drops padding where flash attention computes: other kernels go over all pairs of positions of a
    row."""
    checkpoint_every_steps: Positive = 500
    """Optimizer steps between two checkpoints of a running stage, unless `checkpoint_every_minutes` comes first."""
    checkpoint_every_minutes: Annotated[float, Field(gt=0)] = 10
    """Of rank 0's clock: whichever of the two comes first."""
    checkpoint_copy: CheckpointCopy = "auto"
    """Whether a step waits until its checkpoint is on storage (`wait`), or only until the state is copied into host
    memory, from which it is written while training goes on (`background`). `auto` is `background` where the state lives
    on a GPU. The files are the same."""
    hang_timeout_s: Annotated[float, Field(gt=0)] = 600
    """A group that gives no sign for this long is taken for dead."""
    deterministic: bool = False
    """Whether stages take kernels that add in a fixed order, where torch has some: slower, for tests of a machine."""
    compile: bool = False
    """Whether the layers of the language model are compiled (`torch.compile`) before they are trained: seconds to
    minutes at the start of each stage, then other kernels, which round otherwise."""
    deepspeed: dict[str, Any] = Field(default={})
    """Further DeepSpeed settings; those that the stage decides are refused."""

    @property
    def node_labels(self) -> dict[str, str]:
        """Label -> what its value must be, for the nodes of a trial, the kind of GPU among them."""
        return {**self.labels, **({ACCELERATOR_LABEL: self.accelerator} if self.accelerator is not None else {})}

    @property
    def gpu_share(self) -> float:
        """Share of one GPU's memory that a worker may take: below 1 where several trials share the GPU."""
        return min(1.0, self.gpus_per_worker)

    @property
    def devices_per_worker(self) -> float:
        """Devices whose seconds a worker costs: its share of a GPU, or one where it is on CPUs or has several GPUs."""
        return self.gpu_share or 1.0

    @property
    def offloaded(self) -> frozenset[Literal["optimizer", "params"]]:
        """Parts of the training state that live in the host's memory."""
        match self.offload:
            case "none":
                return frozenset()
            case "optimizer":
                return frozenset({"optimizer"})
            case "optimizer+params":
                return frozenset({"optimizer", "params"})
            case _:
                assert_never(self.offload)
