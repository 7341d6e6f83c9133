"""Claims about answers between model and scorer: models that say the right thing get full marks, whatever their
tokenizer puts before and behind it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from search_spaces.spec import BenchmarkSpec, LanguageSpec, MixPart, MixSpec, SourceSpec, TokenizerSpec
from tests.support.hub_languages import hub_language
from tests.support.json_files import write_json
from tests.support.official_files.gqa import gqa_question, write_gqa
from tests.support.official_files.pope import write_pope
from tests.support.official_files.tallyqa import write_tallyqa
from tests.support.small_images import png
from tests.support.tiny_specs import ADAMW, language, stage
from tests.support.tiny_trials import make_task, run
from trainables.benchmarks.scorers.instructions import short_answer
from trainables.evaluation.results import read_results
from trainables.export.folder import finished_stages
from trainables.storage.store import LocalStore

ANSWERS = {
    "Is it overcast?": "yes",
    "How many headlights does the black bus have?": "1",
    "Is there a snowboard in the image?": "yes",
}
ASKED = {
    "gqa": ("official", "prismatic", "lmms", "vlmevalkit", "llava"),
    "tallyqa": ("official",),
    "pope": ("official", "llava", "lmms"),
}
_COCO = "COCO_val2014_000000000000.jpg"
TOKENIZERS = {
    "byte-level BPE": ("qwen2", "pure"),
    "sentencepiece": ("llama", "pure"),
    "byte-level BPE, a line break behind the answer": ("phi", "phi-2"),
}


def _write_sets(root: Path) -> None:
    """Write a training set that has the answers to three benchmarks, whose references are those."""
    write_gqa(root / "gqa", {"1": gqa_question("yes")})
    write_tallyqa(root / "tallyqa", [(1, "amt", True)])
    write_pope(root / "pope", ("yes",), ("random",))
    for name in ("gqa/images/n1.jpg", "tallyqa/images/VG_100K_2/0.jpg", f"pope/images/{_COCO}", "train/a.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    turns = [
        [{"from": "human", "value": f"<image>\n{short_answer(question)}"}, {"from": "gpt", "value": answer}]
        for question, answer in ANSWERS.items()
    ]
    records = [{"id": str(n), "image": "a.png", "conversations": turns[n % len(turns)]} for n in range(24)]
    write_json(root / "train.json", records)


def _benchmark(name: str, protocol: str) -> BenchmarkSpec:
    source = SourceSpec(name=name, version="1", reader="official", path=name, options={"benchmark": name})
    return BenchmarkSpec(id=f"{name}-{protocol}", source=source, protocol=protocol)


def _language(kind: str, root: Path, train: SourceSpec) -> LanguageSpec:
    if kind == "words":
        return language(tokenizer=TokenizerSpec(kind="words", source=train))
    family, prompt = TOKENIZERS[kind]
    return hub_language(root, family, prompt=prompt, max_length=96)


@pytest.mark.parametrize("kind", [*TOKENIZERS, "words"])
def test_a_model_that_says_the_right_thing_gets_full_marks(kind: str, tmp_path: Path) -> None:
    _write_sets(tmp_path)
    train = SourceSpec(name="train", version="1", reader="llava", path="train.json", image_folder="train")
    benchmarks = tuple(_benchmark(name, protocol) for name, protocols in ASKED.items() for protocol in protocols)
    mix = MixSpec(name="train", parts=(MixPart(source=train),))
    task = make_task(
        tmp_path,
        stages=(stage(data=mix, max_steps=60, global_batch=6, optimizer=ADAMW),),
        language_spec=_language(kind, tmp_path, train),
        benchmarks=benchmarks,
    )
    run(task)
    store = LocalStore(tmp_path)
    results = read_results(task, finished_stages(task, store), store)
    said = {name: pq.read_table(store.root / r.examples)["prediction"].to_pylist() for name, r in results.items()}
    if kind == "sentencepiece":  # that tokenizer has no digit
        del results["tallyqa-official"]
    assert {name: result.points for name, result in results.items()} == dict.fromkeys(results, 100.0), said
    assert {result.unparsable for result in results.values()} == {0}
    assert {result.best_reachable for result in results.values()} == {100.0}
