"""Plan a study under the options of the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cluster.fit import usable_cpus
from orchestrator.planning.encoder_probe import StoredProbe
from orchestrator.planning.preflight import Digests
from search_spaces.expansion.expand import FEATURES_BUDGET_BYTES, plan_study
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.model.language_files import language_facts
from trainables.storage.store import LocalStore


@dataclass(frozen=True)
class RunOptions:
    """What the command line decides about a run; none of it changes a result."""

    storage: Path
    data: Path
    tracking_uri: str | None = None
    offline: bool = False
    """Talk to no tracking server: records wait in the spools for `ablate sync`."""
    address: str | None = None
    cpus: int | None = None
    """Of the embedded cluster; None for all."""
    overrides: tuple[str, ...] = ()
    limit: int | None = None
    max_concurrent: int | None = None
    features: Literal["auto", "cache", "stream"] = "auto"
    features_budget_bytes: int = FEATURES_BUDGET_BYTES
    toy: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether the trials run on a cluster inside this machine."""
        return self.address is None and "RAY_ADDRESS" not in os.environ


def plan(study: Study, options: RunOptions, known: Digests) -> Plan:
    """The plan of a study with what is known of its data."""
    return plan_study(
        study,
        digests=known.digests,
        counts=known.counts,
        limit=options.limit,
        features=options.features,
        features_budget_bytes=options.features_budget_bytes,
        toy=options.toy,
        toy_workers=usable_cpus() if options.is_embedded else None,
        probe=StoredProbe(LocalStore(options.storage)),
        language_facts=partial(language_facts, data_root=options.data),
    )
