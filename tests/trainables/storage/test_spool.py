"""A spool is read back in order with offsets, and a line that is no record is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.storage.spool import Spool, read_spool
from trainables.storage.store import LocalStore


def test_a_spool_is_read_back_in_order_with_resumable_offsets(tmp_path: Path) -> None:
    store, name = LocalStore(tmp_path), "spool.jsonl"
    spool = Spool(store, name)
    for step in range(3):
        spool.write(step=step, metrics={"loss": 0.5})
    spool.close()
    lines = list(read_spool(store, name))
    assert [line["step"] for _, line in lines] == [0, 1, 2]
    assert [line["step"] for _, line in read_spool(store, name, lines[0][0])] == [1, 2]


def test_a_line_cut_by_a_kill_is_passed_over_and_the_next_attempt_is_whole(tmp_path: Path) -> None:
    store, name = LocalStore(tmp_path), "spool.jsonl"
    store.put(name, b'{"ts":1,"step":0,"metrics":{}}\n{"ts":2,"st')
    assert [line["ts"] for _, line in read_spool(store, name)] == [1]
    spool = Spool(store, name)
    spool.write(status="FINISHED")
    spool.close()
    assert [line.get("status") for _, line in read_spool(store, name)] == [None, "FINISHED"]


@pytest.mark.parametrize(
    "damaged",
    [
        b"\xff\xfe\x00\x01",
        b"[1, 2]",
        b"{}",
        b'{"step": 1, "metrics": {"loss": 0.5}}',
        b'{"ts": "2", "status": "FINISHED"}',
        b'{"ts": 2, "step": "1", "metrics": {"loss": 0.5}}',
        b'{"ts": 2, "metrics": {"loss": "0.5"}}',
        b'{"ts": 2, "metrics": [0.5]}',
        b'{"ts": 2, "tags": {"a": 1}}',
        b'{"ts": 2, "data": [{"name": "x"}]}',
        b'{"ts": 2, "artifact": {"name": "x"}}',
        b'{"ts": 2, "status": "UNKNOWN"}',
    ],
)
def test_a_line_that_is_no_record_is_passed_over_and_counted(
    tmp_path: Path, damaged: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store, name = LocalStore(tmp_path), "spool.jsonl"
    store.put(name, b'{"ts":1,"status":"RUNNING"}\n' + damaged + b'\n{"ts":3,"status":"FINISHED"}\n')
    with caplog.at_level("INFO"):
        assert [line["ts"] for _, line in read_spool(store, name)] == [1, 3]
    assert "1 lines are no records" in caplog.text


def test_a_field_of_a_newer_version_does_not_cost_its_line(tmp_path: Path) -> None:
    store, name = LocalStore(tmp_path), "spool.jsonl"
    store.put(name, b'{"ts":1,"metrics":{"loss":NaN},"step":2,"span":{"id":7}}\n')
    assert [line["step"] for _, line in read_spool(store, name)] == [2]


def test_no_flipped_bit_of_a_spool_changes_a_line_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, name = LocalStore(tmp_path), "spool.jsonl"
    spool = Spool(store, name)
    for step in range(3):
        spool.write(step=step, metrics={"loss": 0.5 + step})
    spool.close()
    content, whole = store.get(name), [line for _, line in read_spool(store, name)]
    for at in range(len(content)):
        store.put(name, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        for _, line in read_spool(store, name):
            known = {field: line[field] for field in ("ts", "step", "metrics") if field in line}  # type: ignore[literal-required]
            assert known in whole
    assert store.place(name) in caplog.text
