"""Measure examples/s of evaluation against a batch-one loop of the same model, and its share of the quickstart's time.

Both sides answer benchmarks of the miniature, open the questions and score the answers; evaluation loads the model,
too. The loop takes one example at a time: the image and the prompt in one pass, then a token at a time with a
key-value cache. Seconds are those of the processor. Run: ``python -m measurements.evaluation``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

import pyarrow.parquet as pq
import torch

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task
from search_spaces.spec import BenchmarkSpec
from trainables.benchmarks.scoring import score_example
from trainables.data.prepared import PreparedSource
from trainables.evaluation.evaluate import evaluate, load_trained
from trainables.evaluation.questions import open_questions
from trainables.evaluation.results import read_results, result_name
from trainables.export.folder import finished_stages
from trainables.feature_files import FeatureRows
from trainables.features import encode_images
from trainables.run_trial import run_trial
from trainables.task import Context, TrialTask
from trainables.trial_data import TrialData
from trainables.workers.heap import keep_freed_memory

EPOCHS = 1
"""Enough for a model that ends its answers: one that does not would generate all that is allowed."""

GENERATION = ("vqav2", "gqa", "vizwiz", "textvqa", "refcoco", "refcoco+", "refcocog", "ocidref")
LIKELIHOOD = ("vsr", "pope", "tallyqa", "ai2d")
FROM_IMAGES = ("vqav2", "pope", "ai2d")
"""An encoder's time is much larger than that of this language model: three are enough."""


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()  # as a worker on a CPU does
    with tempfile.TemporaryDirectory() as storage:
        against_a_loop(Path(storage))
    with tempfile.TemporaryDirectory() as storage:
        share_of_the_quickstart(Path(storage))


def against_a_loop(storage: Path) -> None:
    alone = ("axes={}", "hypotheses=[]", "seeds=[7]", "samples=[]", f"base.epochs={EPOCHS}")
    whole = base_task(storage, *alone, study="mini")
    for _ in run_trial(whole, Context()):
        pass
    for label, names, streams in (
        ("generation, from features", GENERATION, False),
        ("likelihood, from features", LIKELIHOOD, False),
        ("both, from images", FROM_IMAGES, True),
    ):
        chosen = tuple(benchmark for benchmark in whole.benchmarks if benchmark.id in names)
        task = whole.model_copy(update={"benchmarks": chosen, **({"features": ()} if streams else {})})
        print(f"{label}: {_compare(task)}", flush=True)
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def _compare(task: TrialTask) -> str:
    store = Context().store(task)
    stages = finished_stages(task, store)
    for benchmark in task.benchmarks:
        store.remove(result_name(task, benchmark, stages))
    data = TrialData(task, store)
    began = time.process_time()
    for _ in evaluate(task, stages, data, Context(), store):
        pass
    together, loop = time.process_time() - began, _Loop(task)
    began = time.process_time()
    predictions = {benchmark.id: loop.answer(benchmark) for benchmark in task.benchmarks}
    slowly = time.process_time() - began
    rows = {
        name: pq.read_table(store.reading(result.examples)).to_pylist()
        for name, result in read_results(task, stages, store).items()
    }
    n = sum(map(len, rows.values()))
    same = sum(predictions[name][row["id"]] == row["prediction"] for name, members in rows.items() for row in members)
    rates = f"alone {n / slowly:.0f}/s, evaluation {n / together:.0f}/s, factor {slowly / together:.1f}"
    return f"{rates}; {same} of {n} answers equal"


class _Loop:
    """Model that answers one example at a time, with a key-value cache."""

    def __init__(self, task: TrialTask):
        store = Context().store(task)
        self._task, self._data = task, TrialData(task, store)
        self._model: Any = load_trained(task, finished_stages(task, store), self._data, Context(), store)
        self._embed = self._model.language.get_input_embeddings()  # type: ignore[operator]

    @torch.inference_mode()
    def answer(self, benchmark: BenchmarkSpec) -> dict[str, str]:
        """Predict the answer to each example of a benchmark, by id."""
        source = self._data.source(benchmark.source)
        questions, features = open_questions(benchmark, source), self._data.features(benchmark.source)
        language, tokenizer, protocol = self._task.trial.language, self._data.tokenizer, questions.protocol
        rows = []
        for example, row in zip(questions.examples, questions.image_rows, strict=True):
            prompt = tokenizer.encode_question(language.prompt, protocol.prompt(example), language.max_length)
            options = protocol.options(example)
            cache, logits_W = self._read(self._seen(source, features, row), prompt)
            if options:
                firsts = [tokenizer.encode_answer(language.prompt, option)[0] for option in options]
                assert len(set(firsts)) == len(firsts), "the miniature's options differ in their first token"
                scores = logits_W.log_softmax(-1)[firsts].tolist()
                prediction = options[scores.index(max(scores))]
            else:
                prediction = tokenizer.decode(self._generate(cache, logits_W, protocol.max_new_tokens))
            rows.append(score_example(protocol, example, prediction))
        protocol.summarise(rows)
        return {row.example.id: row.prediction for row in rows}

    def _seen(self, source: PreparedSource, features: FeatureRows | None, row: int) -> torch.Tensor:
        if features is not None:
            return torch.from_numpy(features.row(int(source.picture_rows[row])).copy())
        return torch.from_numpy(encode_images(self._model.vision, source, self._task.trial.vision, [row], "cpu")[0])

    def _read(self, features_PC: torch.Tensor, prompt: Sequence[int]) -> tuple[Any, torch.Tensor]:
        visual_TD = self._model.visual_tokens(features_PC[None])[0]
        bos_D, prompt_TD = self._embed(torch.tensor(self._model.bos)), self._embed(torch.tensor(prompt))
        read = self._model.language(
            inputs_embeds=torch.cat([bos_D[None], visual_TD, prompt_TD])[None], use_cache=True, logits_to_keep=1
        )
        return read.past_key_values, read.logits[0, -1]

    def _generate(self, cache: Any, logits_W: torch.Tensor, most: int) -> list[int]:
        tokens: list[int] = []
        while True:
            token = int(logits_W.argmax())
            if token == self._data.tokenizer.end:
                return tokens
            tokens.append(token)
            if len(tokens) == most:
                return tokens
            read = self._model.language(input_ids=torch.tensor([[token]]), cache=cache, use_cache=True)
            logits_W = read.logits[0, -1]


def share_of_the_quickstart(storage: Path) -> None:
    command = [sys.executable, "-m", "orchestrator", "run", "quickstart", "--storage", str(storage)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    trials = [json.loads(file.read_text()) for file in storage.glob("studies/quickstart/trials/*/result.json")]
    scored = {name for trial in trials for name in trial["evaluations"].values()}
    evaluating = sum(json.loads((storage / name).read_text())["gpu_seconds"] for name in scored)
    working = sum(trial["cost"]["wall_seconds"] for trial in trials)
    print(
        f"quickstart: {wall:.0f} s, {len(trials)} trials work {working:.0f} s, {evaluating:.1f} s of it on evaluation"
    )
    print(f"share of evaluation in the trials' wall time: {100 * evaluating / working:.1f} %")


if __name__ == "__main__":
    with told_cost():
        main()
