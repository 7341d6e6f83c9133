"""A trial on a small miniature of the twelve benchmarks, each under `prismatic` and under what generates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search_spaces.spec import BenchmarkSpec, MixPart, MixSpec, SourceSpec, TokenizerSpec
from tests.support.tiny_specs import ADAMW, language, stage, vision
from tests.support.tiny_trials import make_task
from trainables.miniature.generate import SETS, Size
from trainables.task import TrialTask

SMALL = Size(images=3, training_images=30)
TRAIN = SourceSpec(
    name="mini-train",
    version="1",
    reader="llava",
    path=f"{SMALL.folder}/mini-train.json",
    image_folder=f"{SMALL.folder}/train",
)
WIDE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "initializer_range": 0.2,
}
PROTOCOLS = ("prismatic", "official")


def benchmark(name: str, protocol: str) -> BenchmarkSpec:
    """Describe a set of the miniature, scored under a protocol."""
    path = f"{SMALL.folder}/benchmarks/{name}"
    source = SourceSpec(name=f"mini-{name}", version="1", reader="official", path=path, options={"benchmark": name})
    return BenchmarkSpec(id=f"{name}-{protocol}", source=source, protocol=protocol)


ALL = tuple(benchmark(name, protocol) for name in SETS for protocol in PROTOCOLS)


def mini_task(storage: Path, benchmarks: tuple[BenchmarkSpec, ...] = ALL, **changes: Any) -> TrialTask:
    """Make a task whose model learns a little: enough that it does not say one thing throughout."""
    mix = MixSpec(name="mini", parts=(MixPart(source=TRAIN),))
    words = TokenizerSpec(kind="words", source=TRAIN)
    fields: dict[str, Any] = {
        "stages": (stage(data=mix, max_steps=200, global_batch=16, optimizer=ADAMW),),
        "language_spec": language(config=WIDE, width=64, tokenizer=words, max_length=128),
        "vision_spec": vision(),
        "benchmarks": benchmarks,
    }
    return make_task(storage, **(fields | changes))
