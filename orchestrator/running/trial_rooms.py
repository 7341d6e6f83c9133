"""Say on which nodes a trial may be placed, and have its workers started there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cluster.launcher import Launcher, MemberCode, ResourceRequest, TrialRoom
from search_spaces.node_labels import NODE_LABEL
from search_spaces.worker_contract import Failed, Group, NoRoom


def node_selector(placeable: Collection[str] | None, avoided: Collection[str]) -> str:
    """Write which nodes Ray may place a trial on, as a selector of labels; empty for all.

    Those that may be used are named, not those that may not: a node that has just joined is in neither list.

    Args:
        placeable: ids of the only nodes that may be used; None where all may.
        avoided: ids of nodes that are not used if there are others.
    """
    if placeable is None:
        return f"!in({','.join(sorted(avoided))})" if avoided else ""
    return f"in({','.join(sorted(set(placeable) - set(avoided)) or sorted(placeable))})"


def node_labels(request: ResourceRequest, nodes: str) -> dict[str, str]:
    """Return label -> selector of its value, of the nodes on which a trial may be placed.

    Args:
        request: of the trial.
        nodes: selector of ids of nodes; empty for all.
    """
    return dict(request.labels) | ({NODE_LABEL: nodes} if nodes else {})


def start_group(
    launcher: Launcher,
    code: MemberCode,
    requests: Mapping[str, ResourceRequest],
    trial: str,
    nodes: str,
    on_one_node: bool,
) -> Group | Failed | NoRoom:
    """Start the workers of the calling trial.

    Args:
        launcher: of the run.
        code: that workers run.
        requests: trial id -> its resource request.
        trial: id.
        nodes: on which they may be placed, a selector of ids; empty for all.
        on_one_node: whether all of them are placed on one node.
    """
    request = requests[trial]
    return launcher.start(code, TrialRoom(trial, request, node_labels(request, nodes), on_one_node))
