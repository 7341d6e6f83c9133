"""Ask whether a cluster can run a study, before data are read: a refusal after hours of reading would come late."""

from __future__ import annotations

from collections.abc import Collection

from cluster.address import ClusterAddress
from cluster.fit import impossible, refuse_unfit, this_machine
from cluster.node_checks import needed_interface, require_nodes
from orchestrator.planning.chosen_settings import chosen_interface
from orchestrator.planning.planned import RunOptions, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.running.tasks import resource_request
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import Expansion
from search_spaces.study import Study
from trainables.storage.store import LocalStore


def require_cluster(
    study: Study,
    expansion: Expansion,
    selected: Collection[str],
    store: LocalStore,
    cluster: ClusterAddress | None,
    options: RunOptions,
) -> None:
    """Check that the trials of a study fit into a cluster, and that its nodes see the storage and have the interface.

    Trials that are done, by what earlier runs knew of data and weights, need neither: a study without others asks no
    cluster. Inside one machine workers meet on loopback, whatever interface was chosen.

    Args:
        study: as it was written.
        expansion: of the study.
        selected: ids of the trials that are to be done.
        store: the storage.
        cluster: that is running; None for one inside this machine.
        options: of the command line.

    Raises:
        InputError: if a trial can never run there, or a node cannot take part, named by its host.
    """
    requests = {
        arm.draft.name: resource_request(arm.resources.arm)
        for arm, trials in zip(expansion.checked.arms, expansion.trials, strict=True)
        if any(trial.id in selected for trial in trials)
    }
    if cluster is None:
        nodes = this_machine(options.cpus)
        if not impossible(requests, nodes):
            return  # what is done is read once only, with the data
    undone_arms = _undone_arms(expansion, selected, store, options)
    undone = {arm: request for arm, request in requests.items() if arm in undone_arms}
    if not undone:
        return
    if cluster is not None:
        from cluster.connect import connect  # Ray takes seconds to load

        with connect(cluster) as nodes:
            require_nodes(nodes, store, needed_interface(chosen_interface(study, options), undone.values()))
    refuse_unfit(undone, nodes, options.may_come)


def _undone_arms(
    expansion: Expansion, selected: Collection[str], store: LocalStore, options: RunOptions
) -> frozenset[str]:
    """Name the arms with a trial that is not done, by what earlier runs knew of data and weights."""
    planned = plan(expansion, options.plan, known_digests(store)).narrowed(selected)
    ledger = read_ledger(planned, store)
    return frozenset(trial.arm for trial in planned.trials if ledger.trials[trial.id].state != "done")
