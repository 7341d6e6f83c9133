"""Hold a study as a job: its file, the options of its run, and what of both a manifest needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import yaml

_DIGEST_LENGTH = 8
"""Hexadecimal digits that tell names apart which were changed or cut."""


@dataclass(frozen=True, slots=True)
class StudyJob:
    """A study that is to run on a cluster."""

    command: str
    """Command line that prints the manifest."""
    study: str
    """Its name on storage."""
    text: str
    """Its file in YAML, complete: nothing that it extends is left out."""
    shipped_as: str | None
    """Name under which it comes with the program; None for a user's own file."""
    overrides: tuple[str, ...]
    """`KEY=VALUE` texts, which `text` has already."""
    options: tuple[str, ...]
    """Further words of `ablate run STUDY`, the storage among them."""
    storage: str
    """Absolute path under which every node sees it."""

    def label(self, longest: int) -> str:
        """Make a name for Kubernetes of the study's: a label of DNS (RFC 1035), and another for each study.

        A name that has to be changed or cut ends in a part of its digest, as `a.b`, `a_b` and `a-b` would else be one.

        Args:
            longest: characters that it may have.
        """
        whole = f"ablate-{self.study}"
        plain = re.sub("[^a-z0-9]+", "-", whole.lower()).strip("-")
        if plain == whole and len(plain) <= longest:
            return plain
        digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_LENGTH]
        return f"{plain[: longest - len(digest) - 1].strip('-')}-{digest}"


class _Text(str):
    """Text that is written line by line, as a block."""


class _Dumper(yaml.SafeDumper):
    """Writer of YAML for people: no aliases, and blocks of text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|"))


def as_block(text: str) -> str:
    """Mark a text of several lines to be written line by line."""
    return _Text(text)


def yaml_text(command: str, purpose: str, objects: Sequence[Mapping[str, Any]]) -> str:
    """Write objects as YAML documents below the command that prints them.

    Args:
        command: command line.
        purpose: what to do with the file.
        objects: plain values; texts of several lines are marked by `as_block`.
    """
    documents = [yaml.dump(dict(each), Dumper=_Dumper, sort_keys=False, width=1000) for each in objects]
    return f"# {command}\n# {purpose}\n" + "---\n".join(documents)


def labels_text(labels: Mapping[str, str]) -> str:
    """Write labels of nodes as `ray start --labels` takes them."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def ray_version() -> str:
    """Return the version of Ray that this program is installed with, which a cluster must have."""
    return version("ray")
