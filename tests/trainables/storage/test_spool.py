from __future__ import annotations

from pathlib import Path

from trainables.storage.spool import Spool, read_spool


def test_a_spool_is_read_back_in_order_with_resumable_offsets(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    spool = Spool(path)
    for step in range(3):
        spool.write(step=step, metrics={"loss": 0.5})
    spool.close()
    lines = list(read_spool(path))
    assert [line["step"] for _, line in lines] == [0, 1, 2]
    assert [line["step"] for _, line in read_spool(path, lines[0][0])] == [1, 2]


def test_a_line_cut_by_a_kill_is_passed_over_and_the_next_attempt_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    path.write_bytes(b'{"ts":1,"step":0,"metrics":{}}\n{"ts":2,"st')
    assert [line["ts"] for _, line in read_spool(path)] == [1]
    spool = Spool(path)
    spool.write(status="FINISHED")
    spool.close()
    assert [line.get("status") for _, line in read_spool(path)] == [None, "FINISHED"]
