"""Claims about orchestrator/running/trial_rooms.py."""

from __future__ import annotations

from cluster.launcher import MemberCode, ResourceRequest, TrialRoom
from orchestrator.running.trial_rooms import node_selector, start_group
from search_spaces.node_labels import NODE_LABEL
from search_spaces.worker_contract import NoRoom


def test_where_nodes_are_asked_first_only_those_that_are_fit_are_selected() -> None:
    assert node_selector(None, ()) == ""
    assert node_selector(None, ("n2", "n1")) == "!in(n1,n2)"
    assert node_selector(("n3", "n1", "n2"), ("n2",)) == "in(n1,n3)"
    assert node_selector(("n2",), ("n2",)) == "in(n2)"  # an avoided node is used if there is no other


class FullCluster:
    """A launcher of which no group has room."""

    keeps_groups = False

    def __init__(self) -> None:
        self.asked: list[tuple[MemberCode, TrialRoom]] = []

    def bundles(self, request: ResourceRequest) -> list[dict[str, float]]:
        return [request.bundle()]

    def start(self, code: MemberCode, trial: TrialRoom) -> NoRoom:
        self.asked.append((code, trial))
        return NoRoom()

    def give_room_back(self) -> None:
        """Nothing is reserved."""


def test_a_launcher_is_told_the_request_the_labels_and_the_nodes_of_the_trial() -> None:
    launcher, code = FullCluster(), MemberCode("a:b")
    requests = {"a": ResourceRequest(2, labels=(("market", "!spot"),)), "b": ResourceRequest(1)}
    assert start_group(launcher, code, requests, "a", "in(n1,n2)", True) == NoRoom()
    assert start_group(launcher, code, requests, "b", "", False) == NoRoom()
    assert launcher.asked == [
        (code, TrialRoom("a", requests["a"], {"market": "!spot", NODE_LABEL: "in(n1,n2)"}, on_one_node=True)),
        (code, TrialRoom("b", requests["b"])),
    ]
    assert [trial.strategy for _, trial in launcher.asked] == ["STRICT_PACK", "PACK"]
