"""Claims about orchestrator/reporting/asked_questions.py, and what samples of answers show of it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.reporting.asked_questions import asked_questions
from orchestrator.reporting.disagreements import Sample, with_questions
from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec
from tests.support.tiny_specs import source
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.evaluation.questions import open_questions
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import DigestCache, SourceDigest
from trainables.storage.store import LocalStore


def test_questions_come_with_their_answer_and_image_while_the_data_are_there(tmp_path: Path) -> None:
    store, spec = LocalStore(tmp_path), BenchmarkSpec(id="colours", source=source("test", records=20, tags="color"))
    assert asked_questions(spec, ["1"], store) == {}
    digest, counts = prepare_source(spec.source, store, tmp_path)
    write(store, layout.DIGESTS, DigestCache({source_name(spec.source): SourceDigest("signature", digest, counts)}))
    record = open_questions(spec, PreparedSource(store, digest)).examples[3]
    seen = asked_questions(spec, [record.id, "no such id"], store)
    assert list(seen) == [record.id]
    assert (seen[record.id].prompt, seen[record.id].reference) == (record.question, record.reference)
    assert seen[record.id].image_bytes is not None

    sample = Sample("colours", record.id, record.cluster, None, {"base": ("red", 1.0)})
    unknown = Sample("colours", "no such id", "x.png", None, {"base": ("red", 1.0)})
    shown, unseen = with_questions([sample, unknown], spec, store)
    assert (shown.prompt, shown.label, shown.image_bytes) == (
        record.question,
        record.reference,
        seen[record.id].image_bytes,
    )
    assert unseen == unknown
