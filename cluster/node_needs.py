"""Count for each node the waiting trials that ask for its labels, so that what can go elsewhere leaves it to them.

Where trials may run on different sets of machines, the least flexible one that can start goes first, and the others go
where they are least in the way: the rule *least flexible job first* (Pinedo, Scheduling, on machine eligibility), which
is optimal for jobs of equal length whose sets are nested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest


class NodeNeeds:
    """Number of waiting trials with labels that each node of a cluster could hold, were it empty.

    Args:
        nodes: of the cluster, all of them free.
    """

    def __init__(self, nodes: Sequence[NodeResources]):
        self._waiting: Counter[ResourceRequest] = Counter()
        self.resize(nodes)

    def resize(self, nodes: Sequence[NodeResources]) -> None:
        """Replace the cluster's nodes."""
        self._nodes = tuple(nodes)
        self._usable: dict[ResourceRequest, frozenset[int]] = {}
        self._by_node: tuple[int, ...] | None = None

    def add(self, request: ResourceRequest) -> None:
        """Count a trial that waits."""
        self._count(request, 1)

    def remove(self, request: ResourceRequest) -> None:
        """Take off a trial that waits no more."""
        self._count(request, -1)

    def by_node(self) -> tuple[int, ...]:
        """Return the number of each node, in order; nothing where no trial with labels waits.

        A trial with labels is counted itself: alike on all nodes on which it may be placed.
        """
        if self._by_node is None:
            needs = [0] * len(self._nodes)
            for request, count in self._waiting.items():
                for i in self.usable(request):
                    needs[i] += count
            self._by_node = tuple(needs) if any(needs) else ()
        return self._by_node

    def usable(self, request: ResourceRequest) -> frozenset[int]:
        """Return the places in the list of those nodes that could hold a worker of a request, were they empty."""
        anywhere = request.anywhere
        if anywhere not in self._usable:
            self._usable[anywhere] = frozenset(i for i, node in enumerate(self._nodes) if node.capacity_for(anywhere))
        return self._usable[anywhere]

    def kept_from(self, request: ResourceRequest, others: Iterable[ResourceRequest]) -> frozenset[int]:
        """Return the places of the nodes that a request leaves to less flexible ones, which it does not start before.

        Args:
            request: that may be placed elsewhere.
            others: of trials that could start now. Those are less flexible that ask for labels and may use some, and
                not all, of the nodes of `request`.
        """
        usable = (self.usable(other) for other in others if other.labels)
        return frozenset[int]().union(*(nodes for nodes in usable if nodes < self.usable(request)))

    def left_free(self, request: ResourceRequest, placement: Sequence[int]) -> tuple[str, ...]:
        """Name the nodes that a trial could use, and that more of the waiting trials need than those it was given.

        Args:
            request: of the trial.
            placement: number of its workers on each node.
        """
        needs = self.by_node()
        if not needs:
            return ()
        most = max((need for need, count in zip(needs, placement, strict=True) if count), default=0)
        return tuple(self._nodes[i].name for i in sorted(self.usable(request)) if needs[i] > most)

    def _count(self, request: ResourceRequest, change: int) -> None:
        if request.labels:
            self._waiting[request.anywhere] += change
            self._by_node = None
