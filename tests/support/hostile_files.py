"""Files that run a command when they are unpickled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import torch


class Payload:
    """A value whose pickle makes a file where it is opened."""

    def __init__(self, proof: Path):
        self._proof = proof

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._proof}",)


def replace_state(file: Path, checkpoint: Path, proof: Path) -> None:
    """Replace a file of a step checkpoint by a pickle that makes `proof`, and its entries in the manifest with it.

    Args:
        file: of the checkpoint.
        checkpoint: its folder, with the manifest.
        proof: what the pickle makes.
    """
    torch.save({"module": Payload(proof), "optimizer_state_dict": Payload(proof), "torch": Payload(proof)}, file)
    path, name = checkpoint / "manifest.json", str(file.relative_to(checkpoint))
    manifest = json.loads(path.read_text())
    manifest["files"][name] = file.stat().st_size
    manifest["digests"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))
