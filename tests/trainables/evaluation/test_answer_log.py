"""Claims about answers that are kept while a benchmark is being scored."""

from __future__ import annotations

from pathlib import Path

from trainables.evaluation.answer_log import AnswerLog
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_answers_of_all_workers_are_found_again_and_a_cut_line_is_none(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for rank, batches in enumerate(([0, 2], [1])):
        with AnswerLog(store, "key", "shapes", rank) as log:
            for batch in batches:
                log.write(batch, [f"answer {batch}", "é\n"])
    path = store.root / f"{layout.evaluation_answers('key', 'shapes')}/rank-0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'[4, ["cut')
    with AnswerLog(store, "key", "shapes", 0) as log:
        log.write(5, [[-0.25, -1.5]])
        assert log.read() == {
            0: ["answer 0", "é\n"],
            1: ["answer 1", "é\n"],
            2: ["answer 2", "é\n"],
            5: [[-0.25, -1.5]],
        }
        log.discard()
    assert not path.exists()
