"""Ask every node for what its trials need, before the first trial: storage, interface, pretrained weights, GPUs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.address import ClusterAddress
from cluster.fit import NodeResources, impossible
from cluster.node_checks import (
    AdmittedNodes,
    LookFor,
    LookOnNode,
    Probed,
    needed_interface,
    require_nodes,
)
from orchestrator.doctor.node_look import look_there
from orchestrator.planning.planned import RunOptions
from orchestrator.planning.preflight import checkpoints_of
from orchestrator.running.tasks import requests_by_arm
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.spec import TrialSpec


@dataclass(frozen=True)
class CheckedNodes:
    """Nodes that were asked before the first trial, and what those that join are asked."""

    nodes: tuple[NodeResources, ...]
    """That are fit."""
    unfit: dict[str, str]
    """Node that lacks weights, by Ray's id -> what is wrong, to complete "it ..."."""
    interface: str | None
    look_for: LookFor | None

    def admitted(
        self, list_nodes: Callable[[], Sequence[NodeResources]], store: Probed, tell: Callable[[str], None]
    ) -> AdmittedNodes:
        """Return the nodes on which trials may be placed from now on; those that join are asked the same."""
        return AdmittedNodes(
            self.nodes, list_nodes, store, self.interface, tell, look_for=self.look_for, unfit=self.unfit
        )


def check_nodes(
    plan: Plan,
    nodes: Sequence[NodeResources],
    store: Probed,
    interface: str | None,
    cluster: ClusterAddress | None,
    options: RunOptions,
    tell: Callable[[str], None],
) -> CheckedNodes:
    """Ask every node whether it sees the storage, has the interface, and has the weights of trials that fit there.

    A node without weights is left out; the other trials run on the others. An embedded cluster is the machine on which
    the weights were found.

    Args:
        plan: of the trials that are to run; their weights were found on this machine.
        nodes: of the connected cluster.
        store: the storage.
        interface: that was chosen; None where each host decides.
        cluster: that is running; None for one inside this machine.
        options: of the command line.
        tell: shows people which nodes are left out, which fetch weights, and what GPUs lack.

    Raises:
        InputError: if a node does not see the storage or lacks the interface, or a trial fits no node with weights.
    """
    requests = requests_by_arm(plan)
    interface = needed_interface(interface, requests.values())
    look_for = None if cluster is None else _look_for(plan, options.plan.data)
    sentences: list[str] = []
    unfit = require_nodes(nodes, store, interface, look_for, sentences.append)
    left = tuple(node for node in nodes if node.name not in unfit)
    unplaced = [] if not unfit or options.may_come else list(impossible(requests, left))
    if unplaced:
        others = f" (and {len(unplaced) - 1} more)" if len(unplaced) > 1 else ""
        raise InputError(
            f"every trial must fit on nodes that have its weights, but {unplaced[0]}{others} does not: "
            f"{'; '.join(sentences)}"
        )
    for sentence in sentences:
        tell(sentence)
    return CheckedNodes(left, unfit, interface, look_for)


def _look_for(plan: Plan, data_root: Path) -> LookFor | None:
    """Return what makes the question for the weights and GPUs of trials that fit a node; None if no trial has any."""
    specs = defaultdict[str, list[TrialSpec]](list)
    for trial in plan.trials:
        specs[trial.arm].append(trial.spec)
    origins = {arm.name: checkpoints_of(specs[arm.name]) for arm in plan.arms}
    on_gpus = {arm.name: [each for each in arm.requests if each.gpus_per_worker] for arm in plan.arms}
    if not any(origins.values()) and not any(on_gpus.values()):
        return None
    from trainables.model.weights_on_node import expect_weights

    every = sorted({origin for some in origins.values() for origin in some})
    expected, requests = expect_weights(every, data_root), requests_by_arm(plan)

    def look_for(node: NodeResources) -> LookOnNode | None:
        arms = [arm for arm, request in requests.items() if node.capacity_for(request)]
        needed = {origin for arm in arms for origin in origins[arm]}
        weights = tuple(each for each in expected if each.origin in needed)
        gpu_requests = [request for arm in arms for request in on_gpus[arm]] if node.gpus else []
        return partial(look_there, weights, data_root, gpu_requests) if weights or gpu_requests else None

    return look_for
