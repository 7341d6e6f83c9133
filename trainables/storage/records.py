"""Define the records on storage: results, scores, failures, and what is known of data. No torch, no ray.

Each is a frozen dataclass and one JSON file, read and written by `trainables.storage.record_files` alone, which states
the rules for files of other versions of this program and for damaged ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field, RootModel

from search_spaces.outcomes import FailureKind
from search_spaces.spec import PixelSpec, ShownImages


@dataclass(frozen=True)
class StagePeak:
    """Most memory that a worker of a stage has taken: of the rank with the most."""

    reserved: int
    """On a GPU, bytes that torch's allocator had; on a CPU, by how many the process grew."""
    allocated: int | None
    """On a GPU, bytes that tensors had; None on a CPU."""
    planned: int | None
    """Bytes that the plan expected, with the reserve for runtime and fragments; None where it knew no size."""


@dataclass(frozen=True)
class StageResult:
    """Result of a trained stage, `stages/<key>/result.json`: written last, so with it the stage is done."""

    key: str
    name: str
    steps: int
    modules: Mapping[str, str]
    """Trained module -> SHA-256 of its safetensors file."""
    final_loss: float | None
    diverged: bool
    """The loss became NaN or infinite: a result of the arm, not an error."""
    losses_digest: str
    """SHA-256 over the losses of all steps, in hex floats."""
    gpu_seconds: float
    """Wall seconds of each attempt times its devices, summed: a worker that has a share of a GPU counts as that share,
    one on CPUs as one."""
    samples_per_second: float
    counts: Mapping[str, int]
    """Realised records per source."""
    provenance: Mapping[str, str]
    """Versions, device, world size, micro-batch, ZeRO stage."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Records per source that a part of the mix drops because their images are lost."""
    mfu: float | None = None
    """Model FLOPs utilisation over the whole stage; None on devices without a known peak."""
    memory: StagePeak | None = None
    """None where the system does not tell it, and in results of versions that did not measure it."""


@dataclass(frozen=True)
class Curve:
    """Loss curve of a stage, `stages/<key>/curve.json`, which every trial that shares the stage shows."""

    curve: tuple[tuple[int, float, float], ...]
    """Step, loss and learning rate of every logged step."""
    metrics: tuple[Mapping[str, float], ...] = ()
    """All that was logged of the same steps; empty in files of versions that kept loss and learning rate alone."""


@dataclass(frozen=True)
class CheckpointManifest:
    """`stages/<key>/checkpoints/<step>-<format>/manifest.json`: what tells whether a step checkpoint is whole."""

    shape: str
    """The group of workers that has written it."""
    files: Mapping[str, int]
    """File, relative to the checkpoint -> bytes."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """File -> SHA-256. Empty in files of versions that compared sizes alone: such a checkpoint is not used."""


@dataclass(frozen=True)
class FeaturesResult:
    """Features of a frozen encoder, `features/<key>/result.json`: written after the features themselves."""

    key: str
    shape: tuple[int, ...]
    """Images, positions, width."""
    gpu_seconds: float
    rows_digest: str = ""
    """SHA-256 of the file with the digests of all rows; empty in results of versions that did not digest features."""


@dataclass(frozen=True)
class DamageMark:
    """Damage that somebody has found in an artifact, `<its folder>/damaged.json`, until it is made again."""

    file: str
    """Name on storage."""
    problem: str
    """The end of "must be complete, but ..."."""
    host: str
    """Where it was found: memory of one machine may be at fault."""
    ts: int
    content: tuple[int, ...] = ()
    """What tells the file that was read from one that has taken its place, on `host` (`store.Facts.content`); empty in
    marks of versions that did not keep it, which no file has."""
    size: int | None = None
    """Bytes of that file: with `modified_s` what tells it from another one on other hosts, where clients of a shared
    file system may see other inodes and coarser times. None in marks of versions that did not keep it."""
    modified_s: int | None = None
    """When it was last written, in whole seconds since the epoch."""


@dataclass(frozen=True)
class EvaluationResult:
    """Scores of a trained model on a benchmark, `evaluations/<key>/<benchmark>.json`."""

    key: str
    asked: str
    """Key of the question alone (`search_spaces.identity.benchmark_key`): data, selection, protocol."""
    benchmark: str
    protocol: str
    n: int
    unparsable: int
    points: float
    """100 x the mean score per example: what arms are compared in."""
    headline: str
    """The metric that people quote of this benchmark."""
    metrics: Mapping[str, float]
    """In 0-100 where `units` names no other unit."""
    units: Mapping[str, str]
    warnings: tuple[str, ...]
    """What a reader of the metrics must know."""
    majority: float
    """Score, 0-100, of the best answer that is the same throughout."""
    constant: bool
    """The model gave one answer throughout."""
    gpu_seconds: float
    examples: str
    """Name on storage of the per-example Parquet: id, cluster, prediction, parsed, score, and further columns."""
    best_reachable: float | None = None
    """What a perfect model gets in `points`; None in results of versions that did not compute it."""
    priors: Mapping[str, float] = field(default_factory=dict)
    """What needs no image (`trainables.benchmarks.priors`) -> its score, 0-100. Empty in results of versions that knew
    `majority` alone; the scores of every example stand in the file `examples`."""
    points_by_chance: float | None = None
    """What the model's answers get on average when they are exchanged among questions of one type."""
    images: ShownImages = "own"
    """What the questions were asked with. Of others than their own, `benchmark` is the one whose questions they are."""
    examples_digest: str = ""
    """SHA-256 of the file `examples`; empty in results of versions that did not digest it."""
    examples_bytes: int = 0
    """Size of the file `examples`, recorded with its digest."""


@dataclass(frozen=True)
class Cost:
    """Cost of a trial, in seconds."""

    gpu_seconds: float
    """Spent by this trial itself."""
    gpu_seconds_alone: float
    """With all its stages and features, whoever produced them."""
    wall_seconds: float


@dataclass(frozen=True)
class TrialResult:
    """Result of a finished trial, `studies/<study>/trials/<trial>/result.json`."""

    trial: str
    stages: tuple[str, ...]
    """Stage keys, first to last."""
    evaluations: Mapping[str, str]
    """Benchmark id -> name on storage of its EvaluationResult."""
    diverged: bool
    cost: Cost


@dataclass(frozen=True)
class Failure:
    """Failure of a trial, `studies/<study>/trials/<trial>/failure.json`."""

    trial: str
    kind: FailureKind
    message: str
    traceback: str
    log: str
    """Name on storage of the log to read."""
    ts: int
    """Milliseconds since the epoch."""
    attempt: int = 1
    """Number of the attempt that failed, from 1."""
    during: str | None = None
    """Id of the node of the work graph that was being worked on; None where that is not known."""
    rank: int | None = None
    """The worker that failed; None if it concerns none of them in particular."""
    host: str | None = None
    """Host of the process that failed; None where it is not known."""
    node_id: str | None = None
    """Ray's id of that host, which a later attempt can avoid."""
    gpu: str | None = None
    """GPU of that process; None on a CPU."""
    remedy: str = ""
    """What the next attempt does differently, for people; empty if nothing."""
    shape: str | None = None
    """Of a trial that was not started: its shape, whose rehearsal failed."""


@dataclass(frozen=True)
class SmallerBatch:
    """How much fits at once where more ran out of memory, `studies/<study>/smaller-batches/<shape>.json`.

    It holds for all trials of the study whose work has this shape (`search_spaces.memory_shape`), so that one of them
    pays for what all of them learn. Removing the file undoes it.
    """

    of: str
    """What ran out of memory, for people: ``stage align``, ``evaluation``."""
    micro_batch: int | None = None
    """Of a stage: most records per worker and forward pass. The global batch stays as it is."""
    parts: int = 1
    """Of an evaluation: number of parts in which each batch of questions is answered."""


@dataclass(frozen=True)
class StageRehearsal:
    """What the rehearsal of a stage showed."""

    name: str
    micro_batch: int
    """Records per worker and forward pass."""
    checkpoint_bytes: int
    save_seconds: float
    load_seconds: float
    """To verify the checkpoint and to read it back."""
    peak_bytes: int | None
    """Most memory of the first worker; None where the system does not tell it."""
    expected_bytes: int | None
    """What the plan expects; None where the model's size is not known."""


@dataclass(frozen=True)
class Rehearsal:
    """Rehearsal of a shape of trials that went well, `rehearsals/<proof>.json`: it is not rehearsed again.

    The name is that of the shape, the program and the hardware (`orchestrator.running.rehearsals`).
    """

    shape: str
    """Of `search_spaces.trial_shape`."""
    arm: str
    """Whose trial was rehearsed."""
    workers: int
    device: str
    """Of the first worker, as its driver reports it."""
    stages: tuple[StageRehearsal, ...]
    questions: Mapping[str, int]
    """Evaluation set -> questions that were answered."""
    answer_peak_bytes: int | None
    """Most memory of the first worker while it answered; None where the system does not tell it."""
    seconds: float
    """Wall time on the workers, without their start."""
    ts: int
    """Milliseconds since the epoch."""


@dataclass(frozen=True)
class Expected:
    """A number that is expected, and between which two it may lie."""

    expected: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Make the fields."""
        return {"expected": self.expected, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class RunForecast:
    """What a run was to take, by what was known when its first trial was about to be handed out."""

    trials: int
    """That were left to do."""
    cluster: str
    """The nodes, for people."""
    wall_s: Expected
    """From the first hand-out to the end of the last trial."""
    device_s: Expected
    """Of GPUs, or of workers where they have none."""
    sources: Mapping[str, float]
    """Share of the seconds that rests on what was measured, estimated or assumed."""


@dataclass(frozen=True)
class RunUsage:
    """What a run has taken."""

    done: int
    """Trials that it has ended with a result."""
    wall_s: float
    device_s: float


@dataclass(frozen=True)
class RunRecord:
    """Run of a study, `runs/<study>/<nonce>/run.json`. Whether it goes on is told by its lease."""

    nonce: str
    host: str
    pid: int
    user: str
    """Who started it: `user@host`."""
    began: int
    """Milliseconds since the epoch."""
    command: str
    """That was typed, for people."""
    ended: int | None = None
    """Milliseconds since the epoch; None while it goes on, and for ever where it was killed."""
    ending: str = ""
    """How it ended, for people."""
    forecast: RunForecast | None = None
    """None before its first trial is about to be handed out, and where nothing was left to do."""
    usage: RunUsage | None = None
    """None until its trials have ended."""


@dataclass(frozen=True)
class StopRequest:
    """Request to end a run, `runs/<study>/<nonce>/stop.json`."""

    by: str
    """Who asks: `user@host`."""
    ts: int
    """Milliseconds since the epoch."""
    within_s: float
    """Seconds that running trials have to reach their next checkpoint."""


@dataclass(frozen=True)
class TriedAgain:
    """Failure that a run has tried again, `studies/<study>/trials/<trial>/tried-again.json`, and what it came from."""

    kind: FailureKind
    message: str
    """Its signature: kind, first line without what names the case, innermost frame."""
    task: str
    """Fingerprint of stages, resources and questions."""
    program: str
    """Fingerprint of the program and of the packages that its workers need."""


@dataclass(frozen=True)
class Resume:
    """Beginning of a stage by an attempt that found step checkpoints of it."""

    stage: str
    """Its name in the study."""
    step: int
    """Optimizer steps that were done; 0 where none of the checkpoints could be used."""
    ts: int
    """Milliseconds since the epoch."""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Where a newer checkpoint is or was -> why it could not be used."""


@dataclass(frozen=True)
class Resumes:
    """Where the attempts of a trial have begun its stages, `studies/<study>/trials/<trial>/resumes.json`."""

    resumes: tuple[Resume, ...]


@dataclass(frozen=True)
class AttemptStage:
    """Stage of an attempt, or features that it reads, by their key."""

    key: str


@dataclass(frozen=True)
class Attempt:
    """Part of `studies/<study>/trials/<trial>/task.json` that all versions read: what the attempt was to do."""

    stages: tuple[AttemptStage, ...]
    """That were to be trained."""
    arm: str = ""
    trial: Mapping[str, Any] = field(default_factory=dict)
    """Resolved specification, as plain values: only to say in what it differs from another."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of data and weights, by their names (`search_spaces.identity`)."""
    features: tuple[AttemptStage, ...] = ()
    """That it was to read."""


@dataclass(frozen=True)
class Counts:
    """Realised numbers of records and images of a source."""

    records: int
    text_only: int
    images: int
    tags: Mapping[str, int]
    """Records by tag."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Records that are not among them, as their images are lost: by how they are lost."""
    lost_images: int = 0
    """Images of these."""


@dataclass(frozen=True)
class PreparedManifest:
    """Manifest of a source, `data/<digest>/result.json`: written last, so with it the source is prepared."""

    format: int
    """Of the Arrow files beside it."""
    counts: Counts
    watched: tuple[str, ...]
    """Keys of images whose files are looked at to notice a change of the source."""
    pictures: str = ""
    """Digest of its pictures, which name their folder."""
    pixels: PixelSpec = field(default_factory=PixelSpec)
    """How its images become pixels."""
    treated: Mapping[str, int] = field(default_factory=dict)
    """Images by what is done to them when they are decoded."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Arrow file beside it -> SHA-256; empty in manifests of versions that did not digest them."""


@dataclass(frozen=True)
class SourceDigest:
    """Digest of a source from an earlier preflight, with what must be unchanged for it to hold."""

    signature: str
    """Digest of what is looked at to believe that nothing has changed since."""
    digest: str
    """SHA-256 of the content."""
    counts: Counts
    pictures: str | None = None
    """Digest of its pictures alone."""


@dataclass(frozen=True)
class WeightsDigest:
    """Digest of pretrained weights from an earlier preflight."""

    signature: str
    digest: str


class DigestCache(RootModel[dict[str, SourceDigest | WeightsDigest]]):
    """Cached digests, `digests.json`, by digest name (`search_spaces.identity.source_name`, `weights_name`)."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class ConversionStart:
    """Manifest of a conversion that is under way, `convert.json`."""

    source: Annotated[str, Field(alias="from")]
    """Fingerprint of the source and its files."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Finished file -> fingerprint of the files of its images."""


@dataclass(frozen=True)
class FinishedConversion:
    """Manifest of a converted source, `convert.json`, for people: nothing reads it."""

    source: Annotated[str, Field(alias="from")]
    digest: str
    counts: Counts
