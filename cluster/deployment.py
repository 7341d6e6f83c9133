"""Describe how jobs get into a cluster: what a profile says of Kubernetes, Slurm, EC2 or a list of machines.

None of these has a field for a password, a token or a key: they name where such a thing lies.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

from search_spaces.spec import Positive, Spec


def _word(text: str) -> str:
    if re.fullmatch(r"[\w./:@=+~-]+", text, flags=re.ASCII) is None:
        raise ValueError(f"must be one word of A-Z a-z 0-9 . _ / : @ = + ~ -, but got {text!r}")
    return text


def absolute_path(text: str) -> str:
    """Check that a text is an absolute path that stands in a manifest or a script as it is. Returns it.

    No colon: volumes of containers and PATH are separated by it.

    Raises:
        ValueError: if it is none.
    """
    if not PurePosixPath(_word(text)).is_absolute() or ":" in text:
        raise ValueError(f"must be an absolute path that every node sees, without a colon, but got {text!r}")
    return text


Word = Annotated[str, AfterValidator(_word)]
"""Text that stands in a manifest or a script as it is: no space, no quote, nothing that a shell expands."""

AbsolutePath = Annotated[str, AfterValidator(absolute_path)]


class Kubernetes(Spec):
    """Cluster of Kubernetes with the KubeRay operator."""

    image: Word
    """Container image with this program and its dependencies (`cluster/docker/Dockerfile`)."""
    claim: Word
    """PersistentVolumeClaim that every pod mounts at the profile's `storage`; access mode ReadWriteMany."""
    namespace: Word = "default"
    token_secret: Word | None = None
    """Secret whose key `auth_token` is Ray's token; None: KubeRay makes one for each cluster."""
    environment_secret: Word | None = None
    """Secret whose keys become environment variables, such as MLFLOW_TRACKING_PASSWORD; None: no further variables."""
    queue: Word | None = None
    """Kueue's local queue that jobs wait in; None: they start at once."""
    cluster: Word | None = None
    """RayCluster that is there and that jobs run on; None: each job brings its own."""
    selectors: dict[str, dict[Word, Word]] = Field(default={})
    """Kind of nodes -> labels that a node of Kubernetes must have to be one."""
    tries: Positive = 3
    """How often a job is tried again on a new cluster. Each try goes on from storage."""


class Slurm(Spec):
    """Partition of a Slurm cluster."""

    environment: AbsolutePath
    """Folder of the Python environment in which this program is installed."""
    hours: Annotated[float, Field(gt=0)]
    """Limit of an allocation's time. A job that has not ended by then is queued again and goes on."""
    partition: Word | None = None
    """None: the default of the cluster, as for the account."""
    account: Word | None = None
    notice_s: Annotated[int, Field(ge=90, le=3600)] = 300
    """How long before the limit the job is told, to reach checkpoints."""
    nodes_within_s: Annotated[int, Field(ge=30, le=3600)] = 300
    """How long the nodes may take to join: importing Ray from a network file system takes minutes on many at once."""


class Aws(Spec):
    """Amazon EC2, whose machines `ray up` starts."""

    region: Word
    image: Word
    """As of `Kubernetes`."""
    head_type: Word
    """Instance type of the head."""
    node_types: dict[str, Word]
    """Kind of nodes -> instance type."""
    prepare: tuple[str, ...] = ()
    """Commands that each machine runs before the container starts, such as one that mounts the storage."""


class OnPremise(Spec):
    """Machines that are there, which `ray up` reaches over SSH."""

    image: Word
    user: Word
    head: Word
    """Host name or address."""
    workers: Annotated[tuple[Word, ...], Field(min_length=1)]
    key: Word = "~/.ssh/id_ed25519"
    """File of the private key on the machine from which `ray up` is started."""
