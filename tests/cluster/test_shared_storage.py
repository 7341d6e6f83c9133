"""Nodes that do not see the shared storage are named before a study starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import shared_storage
from cluster.connect import connect
from cluster.fit import NodeResources
from cluster.shared_storage import nodes_without, require_shared_storage
from search_spaces.errors import InputError
from trainables.storage.store import LocalStore


def test_one_node_is_not_asked(tmp_path: Path) -> None:
    require_shared_storage([NodeResources("alone", 2, 0)], LocalStore(tmp_path))
    assert not list(tmp_path.iterdir())


def test_nodes_that_do_not_see_the_storage_are_named_and_the_probe_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "nodes_without", lambda file, nodes: ["second"] if file.exists() else [])
    with pytest.raises(InputError, match="1 of 2 do not: second"):
        require_shared_storage([NodeResources("first", 2, 0), NodeResources("second", 2, 0)], LocalStore(tmp_path))
    assert LocalStore(tmp_path).list("scratch") == []


@pytest.mark.ray
def test_a_real_node_answers_whether_it_sees_a_file(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with connect(cpus=1) as nodes:
        assert nodes_without(tmp_path / "there", nodes) == []
        assert nodes_without(tmp_path / "gone", nodes) == [nodes[0].name]
