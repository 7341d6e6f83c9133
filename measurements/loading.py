"""Measure how a language model is loaded for a stage in bf16: ``python -m measurements.loading``.

Four ways in turns, each in a process of its own. For a first stage the checkpoint is read in fp32 and cast, or read in
bf16. For a later one the checkpoint is read in fp32 and overwritten by what the earlier stage has written, or the
stage's file alone is read into a model without values. All end with the same bf16 weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from measurements.cost import told_cost
from search_spaces.spec import LanguageSpec, TokenizerSpec
from trainables.model.broadcast import broadcast_modules
from trainables.model.language import build_language
from trainables.peak_memory import PeakMemory
from trainables.training.weights_io import load_strict

FIRST = {"checkpoint in fp32, cast": torch.float32, "checkpoint in bf16": torch.bfloat16}
"""Ways of a first stage, and the type that the checkpoint is read in."""
LATER = {"checkpoint, then storage": False, "storage alone": True}
"""Ways of a later stage, and whether the model is built without values."""
WAYS = (*FIRST, *LATER)
STORED = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
ROWS = 32_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, default=1024, help="of the model; 12 layers (1024: 220 M parameters)")
    parser.add_argument("--repeats", type=int, default=5, help="of all ways")
    parser.add_argument("--stored", choices=STORED, default="bf16", help="type of the checkpoint's weights")
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load is not None:
        print(json.dumps(_loaded(arguments.load, arguments.width, arguments.way)))
        return
    with TemporaryDirectory() as folder:
        parameters = _write(Path(folder), arguments.width, STORED[arguments.stored])
        figures: dict[str, list[Any]] = {way: [] for way in WAYS}
        for _ in range(arguments.repeats):
            for way in WAYS:
                command = ("--load", folder, "--width", str(arguments.width), "--way", way)
                output = subprocess.run(
                    [sys.executable, "-m", "measurements.loading", *command], check=True, capture_output=True, text=True
                ).stdout
                figures[way].append(json.loads(output.splitlines()[-1]))
    print(f"{parameters / 1e6:.0f} M parameters, the checkpoint in {arguments.stored}; medians of {arguments.repeats}")
    for way in WAYS:
        cpu_s, peak_gb = (statistics.median(figure[name] for figure in figures[way]) for name in ("cpu_s", "peak_gb"))
        print(f"{way}: {cpu_s:.2f} s of CPU, {peak_gb:.2f} GB of memory at the peak")


def _write(folder: Path, width: int, stored: torch.dtype) -> int:
    """Write a checkpoint with random weights, and the same weights as a stage hands them on; count its parameters."""
    config = transformers.LlamaConfig(
        hidden_size=width,
        intermediate_size=11 * width // 4,
        num_hidden_layers=12,
        num_attention_heads=width // 64,
        vocab_size=ROWS,
    )
    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(config).to(stored)
    model.save_pretrained(folder / "checkpoint")
    built = build_language(_spec(width), ROWS, 1, folder)
    save_file({name: value.detach().to(torch.bfloat16) for name, value in built.named_parameters()}, _trained(folder))
    return sum(parameter.numel() for parameter in model.parameters())


def _loaded(folder: Path, width: int, way: str) -> dict[str, float | None]:
    """Load the model in one way, and measure what that takes."""
    build_language(_spec(width).model_copy(update={"checkpoint": None, "config": _SMALL}), 64, 1, folder)  # libraries
    memory, began = PeakMemory("cpu"), time.process_time()

    def build() -> dict[str, torch.nn.Module]:
        if way in FIRST:
            return {"language": build_language(_spec(width), ROWS, 1, folder, dtype=FIRST[way])}
        language = build_language(_spec(width), ROWS, 1, folder, is_empty=LATER[way])
        with safe_open(_trained(folder), "pt") as tensors:
            load_strict(language, tensors.keys(), tensors.get_tensor, _trained(folder))
        return {"language": language}

    broadcast_modules(build, torch.bfloat16, torch.device("cpu"))
    peak_bytes = memory.read()
    return {
        "cpu_s": time.process_time() - began,
        "peak_gb": None if peak_bytes is None else peak_bytes / 1e9,
    }


_SMALL = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 64}


def _spec(width: int) -> LanguageSpec:
    return LanguageSpec(
        name="measured",
        family="llama",
        checkpoint="path:checkpoint",
        config={},
        tokenizer=TokenizerSpec(kind="bytes"),
        prompt="bare",
        width=width,
        max_length=2048,
    )


def _trained(folder: Path) -> Path:
    return folder / "language.safetensors"


if __name__ == "__main__":
    with told_cost():
        main()
