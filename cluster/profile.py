"""Read profiles of clusters: which nodes there are or may come, what is between them, where storage is, what it costs.

A shipped profile has a name (`kuberay`); one of a user's own is a file of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import psutil
from pydantic import AfterValidator, Field

from cluster.deployment import AbsolutePath, Aws, Kubernetes, OnPremise, Slurm
from cluster.fit import NodeResources, usable_cpus, visible_gpus
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError, Problems, nearest
from search_spaces.names import Slug
from search_spaces.node_labels import ACCELERATOR_LABEL, LabelValue, OwnLabelKey
from search_spaces.spec import Positive, Spec
from search_spaces.typed import typed
from search_spaces.yaml_source import Document, KeyPath, key_text, read

MOST_NODES = 10_000
"""Nodes that a profile may have: plans hold each of them in memory."""

_Count = Annotated[int, Field(ge=0)]
_Amount = Annotated[float, Field(gt=0)]


def _currency(code: str) -> str:
    if re.fullmatch("[A-Z]{3}", code) is None:
        raise ValueError(f"must be three letters of ISO 4217, such as USD, but got {code!r}")
    return code


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"must be a day, such as 2026-01-31, but got {text!r}") from None


class Price(Spec):
    """Price of one node, as of a day."""

    per_hour: _Amount
    currency: Annotated[str, AfterValidator(_currency)]
    source: str
    date: Annotated[str, AfterValidator(_day)]
    """Day on which the price held, in ISO 8601."""


class Head(Spec):
    """Machine of Ray's head where that is one of its own. No trial runs on it."""

    cpus: Positive
    memory_gb: _Amount
    """1e9 bytes."""
    price: Price | None
    """None: not known."""


class Interconnect(Spec):
    """Network between nodes that ranks of a trial talk over."""

    name: str
    gbit_s: _Amount
    """Of a node, all of its adapters together."""


@dataclass(frozen=True, slots=True)
class NodeKind:
    """Nodes of a cluster that are alike."""

    name: str
    min: int
    """Nodes that are always there."""
    max: int
    """Most nodes that may come."""
    cpus: int
    gpus: int
    gpu: str | None
    """Name of the GPU in the catalogue; None without GPUs, and on this machine, whose GPUs are not asked for theirs."""
    memory_bytes: int
    price: Price | None
    """Of one node; None: not known."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """That Ray is started with on these nodes."""

    @property
    def all_labels(self) -> dict[str, str]:
        """Labels of these nodes, with the kind of their GPUs, which Ray finds by itself."""
        kind = shipped().gpus[self.gpu].accelerator_type if self.gpu is not None else None
        return {**({ACCELERATOR_LABEL: kind} if kind is not None else {}), **self.labels}

    def nodes(self, count: int) -> tuple[NodeResources, ...]:
        """Return the resources of some nodes of this kind."""
        labels = self.all_labels
        return tuple(
            NodeResources(f"{self.name}-{number}", self.cpus, self.gpus, labels=labels)
            for number in range(1, count + 1)
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """A cluster as it may be used: nodes, network, storage, prices."""

    name: str
    about: str
    head: Head | None
    """None: the head is on the first of the nodes."""
    nodes: tuple[NodeKind, ...]
    interconnect: Interconnect | None
    storage: str | None
    """Absolute path under which every node sees the storage; None: that of this machine."""
    kubernetes: Kubernetes | None
    """How jobs get in; None: not this way."""
    slurm: Slurm | None
    aws: Aws | None
    on_premise: OnPremise | None

    @property
    def most_nodes(self) -> tuple[NodeResources, ...]:
        """Nodes of the cluster when all have come that may come."""
        return tuple(node for kind in self.nodes for node in kind.nodes(kind.max))

    @property
    def grows(self) -> bool:
        """Whether nodes may come that are not always there."""
        return any(kind.min < kind.max for kind in self.nodes)


def load_profile(name_or_path: str) -> Profile:
    """Read a profile.

    Args:
        name_or_path: a path, or the name of a shipped profile.

    Raises:
        InputError: everything that is wrong with it, together.
    """
    file = _find(name_or_path)
    document = read(file)
    written = typed(_ProfileFile, document)
    Problems(_contradictions(written, document)).raise_all()
    return Profile(
        name=file.stem,
        about=written.about,
        head=written.head,
        nodes=tuple(kind.resolved(name) for name, kind in written.nodes.items()),
        interconnect=written.interconnect,
        storage=written.storage,
        kubernetes=written.kubernetes,
        slurm=written.slurm,
        aws=written.aws,
        on_premise=written.on_premise,
    )


@cache
def shipped_profiles() -> tuple[str, ...]:
    """List the names of the profiles that come with the program."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


_FOLDER = Path(str(resources.files("cluster"))) / "profiles"


def _find(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if name_or_path in shipped_profiles():
        return _FOLDER / f"{name_or_path}.yaml"
    raise InputError(
        f"must be a file, or one of {', '.join(shipped_profiles())}, but got {name_or_path!r}",
        key="--profile",
        way_out=nearest(name_or_path, shipped_profiles()),
    )


class _NodeFile(Spec):
    """Nodes of one kind as they are written."""

    min: _Count | None = None
    """As many as `max` where it is left out."""
    max: Positive
    cpus: Positive | Literal["auto"]
    """`auto`, here and below: as many as this machine has."""
    gpus: _Count | Literal["auto"] = 0
    gpu: str | None = None
    memory_gb: _Amount | Literal["auto"]
    price: Price | None
    labels: dict[OwnLabelKey, LabelValue] = Field(default={})
    """That Ray is started with there: trials choose nodes by them (`resources.labels`)."""

    def resolved(self, name: str) -> NodeKind:
        """Fill in what this machine has."""
        memory = psutil.virtual_memory().total if self.memory_gb == "auto" else round(self.memory_gb * 1e9)
        return NodeKind(
            name=name,
            min=self.max if self.min is None else self.min,
            max=self.max,
            cpus=usable_cpus() if self.cpus == "auto" else self.cpus,
            gpus=visible_gpus() if self.gpus == "auto" else self.gpus,
            gpu=self.gpu,
            memory_bytes=memory,
            price=self.price,
            labels=self.labels,
        )


class _ProfileFile(Spec):
    """A profile as it is written."""

    about: str
    head: Head | None
    nodes: Annotated[dict[Slug, _NodeFile], Field(min_length=1)]
    interconnect: Interconnect | None
    storage: AbsolutePath | None
    kubernetes: Kubernetes | None = None
    slurm: Slurm | None = None
    aws: Aws | None = None
    on_premise: OnPremise | None = None


def _contradictions(written: _ProfileFile, document: Document) -> Iterator[InputError]:
    """Find what is wrong with a profile beyond the form of its fields."""

    def problem(law: str, *path: str, way_out: str | None = None) -> InputError:
        whole: KeyPath = path
        return InputError(law, place=document.origin(whole), key=key_text(whole), way_out=way_out)

    for name, kind in written.nodes.items():
        if kind.min is not None and kind.min > kind.max:
            yield problem(f"must be at most `max`, {kind.max}, but got {kind.min}", "nodes", name, "min")
        if kind.gpu is not None and kind.gpu not in shipped().gpus:
            law = f"must be one of {', '.join(shipped().gpus)}, but got {kind.gpu!r}"
            yield problem(law, "nodes", name, "gpu", way_out=nearest(kind.gpu, shipped().gpus))
        if kind.gpus == 0 and kind.gpu is not None:
            yield problem(
                f"must be left out where there are no GPUs, but got {kind.gpu!r}",
                "nodes",
                name,
                "gpu",
                way_out="Write `gpus:`, how many of them a node has.",
            )
        if kind.gpus not in (0, "auto") and kind.gpu is None:
            law = f"must be given for {kind.gpus} GPUs, one of {', '.join(shipped().gpus)}"
            yield problem(law, "nodes", name, "gpu")
        if "auto" in (kind.cpus, kind.gpus, kind.memory_gb) and kind.max > 1:
            law = f"must be 1 where something is `auto`, as this machine is one, but got {kind.max}"
            yield problem(law, "nodes", name, "max", way_out="Write the numbers of your nodes.")
    count = sum(kind.max for kind in written.nodes.values())
    if count > MOST_NODES:
        yield problem(f"must have at most {MOST_NODES:,} nodes in all, but has {count:,}", "nodes")
    for way in ("kubernetes", "slurm", "aws", "on_premise"):
        if getattr(written, way) is not None and written.storage is None:
            yield problem(f"must be given with `{way}`: the path under which every node sees it", "storage")
    for way in ("kubernetes", "aws"):
        if getattr(written, way) is not None and written.head is None:
            yield problem(f"must be given with `{way}`: Ray's head is a machine of its own there", "head")
    unknown = sorted(set(written.kubernetes.selectors) - set(written.nodes)) if written.kubernetes else []
    if unknown:
        law = f"must be of kinds of `nodes`, {', '.join(written.nodes)}, but {', '.join(unknown)} is none"
        yield problem(law, "kubernetes", "selectors")
    if written.slurm is not None and len(written.nodes) > 1:
        yield problem(f"must be of one kind with `slurm`, but are of {len(written.nodes)}", "nodes")
    if written.aws is not None and (missing := sorted(set(written.nodes) ^ set(written.aws.node_types))):
        law = f"must have the instance type of each kind of nodes and no other, but differs in {', '.join(missing)}"
        yield problem(law, "aws", "node_types")
    if written.on_premise is not None and (hosts := 1 + len(written.on_premise.workers)) != count:
        law = f"must be the machines of `nodes`, {count} with the head, but are {hosts}"
        yield problem(law, "on_premise", "workers")
    prices = [kind.price for kind in (written.head, *written.nodes.values()) if kind is not None and kind.price]
    currencies = sorted({price.currency for price in prices})
    if len(currencies) > 1:
        yield problem(f"must have prices in one currency, but has {' and '.join(currencies)}", "nodes")
