"""Measure answering beside what transformers offers: its `generate`, and one forward pass for each batch.

Both sides take the same batches of questions, trained model and cached features, and give texts or likelihoods.
Questions are opened and put into tokens before, answers are scored after, on neither side's time. The sides take
turns, so that changes of the machine's speed fall on both, and seconds of the processor are counted; the median of
the turns' ratios is the figure. Answers must agree, and are counted. The model is the base of the study `mini`; with
`--width` one of that width and of `--layers` layers takes its place, whose fixed costs of a call count for less.
Run: ``python -m measurements.answering [--turns N] [--width 512 --layers 8 --steps 60] [--resolution 256]``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

import torch
from torch import Tensor

from measurements.cost import told_cost
from measurements.quickstart_trial import base_task
from trainables.evaluation.answer_log import Answer
from trainables.evaluation.encoded_questions import EncodedQuestions
from trainables.evaluation.evaluate import load_trained
from trainables.evaluation.question_batches import QuestionBatch
from trainables.evaluation.respondent import Respondent
from trainables.evaluation.shown_images import open_asked
from trainables.export.folder import finished_stages
from trainables.model.vlm import VLM
from trainables.run_trial import run_trial
from trainables.task import Context, TrialTask
from trainables.trial_data import TrialData
from trainables.workers.heap import keep_freed_memory

GENERATION = ("vqav2", "gqa", "vizwiz", "textvqa", "refcoco", "refcoco+", "refcocog", "ocidref")
LIKELIHOOD = ("vsr", "pope", "tallyqa", "ai2d")


@dataclass(frozen=True)
class Asked:
    """Benchmark with its batches of questions."""

    questions: EncodedQuestions
    respondent: Respondent
    batches: Sequence[QuestionBatch]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7, help="of each side; one more comes first and is not counted")
    parser.add_argument("--width", type=int, help="of a language model in the place of the study's")
    parser.add_argument("--layers", type=int, default=8, help="of that model")
    parser.add_argument("--resolution", type=int, default=128, help="of images: 16 visual tokens at 128, 64 at 256")
    parser.add_argument("--steps", type=int, help="of training (without it one epoch)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as a worker on a CPU does
    with tempfile.TemporaryDirectory() as storage:
        task = base_task(Path(storage), *_changes(arguments), study="mini")
        for _ in run_trial(task, Context()):
            pass
        opened = Opened(task)
        weights = sum(parameter.numel() for parameter in opened.model.language.parameters())
        print(f"{weights / 1e6:.2f} M weights, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, one thread")
        for label, names, peer in (
            ("generation", GENERATION, "generate"),
            ("likelihood", LIKELIHOOD, "one forward pass a batch"),
        ):
            print(f"  {label}: {_compare(opened, opened.asked(names), peer, arguments.turns)}", flush=True)


def _changes(arguments: argparse.Namespace) -> list[str]:
    """List the changes to the study, as `--set` takes them."""
    length = "base.epochs=1" if arguments.steps is None else f"base.max_steps={arguments.steps}"
    images = f"base.vision.resolution={arguments.resolution}"
    changes = ["axes={}", "hypotheses=[]", "seeds=[7]", "samples=[]", images, length]
    width, layers = arguments.width, arguments.layers
    if width is None:
        return changes
    heads, mlp = max(1, width // 64), 32 * (width * 8 // 96)
    sizes = f"hidden_size: {width}, num_hidden_layers: {layers}, num_attention_heads: {heads}, intermediate_size: {mlp}"
    shape = f"layers: {layers}, heads: {heads}, kv_heads: {heads}, mlp: {mlp}"
    model = (
        f"{{extends: llama-2x96-mini, source: made for a measurement, width: {width},"
        f" config: {{{sizes}, initializer_range: 0.05}}, shape: {{{shape}}}}}"
    )
    return [*changes, f"languages={{wide: {model}}}", "base.language=wide", "recipe.finetune.optimizer.lr=3e-4"]


class Opened:
    """Trained model of a task with its data, answered by this program and by transformers."""

    def __init__(self, task: TrialTask):
        store = Context().store(task)
        self._task, self._data = task, TrialData(task, store)
        self.model: VLM = load_trained(task, finished_stages(task, store), self._data, Context(), store)
        self._language: Any = self.model.language

    def asked(self, names: Collection[str]) -> list[Asked]:
        """Put the questions of benchmarks into tokens, and plan their batches."""
        asked = []
        for benchmark in self._task.benchmarks:
            if benchmark.id in names:
                opened = open_asked(benchmark, self._data.source(benchmark.source))
                questions = EncodedQuestions(self._task.trial, opened, self._data.tokenizer)
                respondent = Respondent(questions, benchmark, self.model, self._data, self._task.trial, "cpu")
                asked.append(Asked(questions, respondent, respondent.batches()))
        return asked

    def answer(self, asked: Asked, batch: QuestionBatch) -> list[Answer]:
        """Answer as the program does."""
        return asked.respondent.answer(batch, iter(()))

    @torch.inference_mode()
    def answer_by_transformers(self, asked: Asked, batch: QuestionBatch) -> list[Answer]:
        """Answer with `generate`, or by the logits of one forward pass over the whole batch."""
        inputs_BLD, mask_BL = self._read(asked, batch)
        if batch.way == "generate":
            tokens_BT = self._language.generate(
                inputs_embeds=inputs_BLD,
                attention_mask=mask_BL,
                do_sample=False,
                max_new_tokens=asked.questions.most_tokens,
                pad_token_id=self._data.tokenizer.pad,
                eos_token_id=self._data.tokenizer.end,
            )
            return [self._text(tokens) for tokens in tokens_BT.tolist()]
        assert batch.way == "first-token", "the miniature's options differ in their first token"
        position_BL = (mask_BL.cumsum(1) - 1).clamp_min(0)
        read = self._language(
            inputs_embeds=inputs_BLD,
            attention_mask=mask_BL,
            position_ids=position_BL,
            use_cache=False,
            logits_to_keep=1,
        )
        options = [asked.questions.options[number] for number in batch.numbers]
        log_probs_BW = read.logits[:, -1].float().log_softmax(-1)
        return [[float(row_W[option[0]]) for option in own] for row_W, own in zip(log_probs_BW, options, strict=True)]

    def _read(self, asked: Asked, batch: QuestionBatch) -> tuple[Tensor, Tensor]:
        """Embed `[BOS] [image] [prompt]` of each question, padded on the left; return the mask, too."""
        images = asked.respondent.images(batch, iter(()))
        visual_BVD = self.model.visual_tokens(images.features_UPC)[torch.tensor(images.of_prompt)]
        prompts = [asked.questions.prompts[number] for number in batch.numbers]
        pad, bos, visual = self._data.tokenizer.pad, self.model.bos, visual_BVD.shape[1]
        longest = max(map(len, prompts))
        padding = [longest - len(prompt) for prompt in prompts]
        ids_BL = torch.tensor(
            [[pad] * left + [bos] * (1 + visual) + prompt for left, prompt in zip(padding, prompts, strict=True)]
        )
        inputs_BLD = self._language.get_input_embeddings()(ids_BL)
        mask_BL = torch.ones_like(ids_BL)
        for row, left in enumerate(padding):
            inputs_BLD[row, left + 1 : left + 1 + visual] = visual_BVD[row]
            mask_BL[row, :left] = 0
        return inputs_BLD, mask_BL

    def _text(self, tokens: list[int]) -> str:
        end = self._data.tokenizer.end
        said = tokens[: tokens.index(end)] if end in tokens else tokens
        return self._data.tokenizer.decode_answer(self._task.trial.language.prompt, said)


def _compare(opened: Opened, asked: Sequence[Asked], peer: str, turns: int) -> str:
    """Let both sides answer all batches in turn; count equal texts, or equal choices."""
    sides = {"this program": opened.answer, peer: opened.answer_by_transformers}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    answers: dict[str, list[Answer]] = {}
    for turn in range(turns + 1):
        for name, answer in sides.items():
            began = time.process_time()
            answers[name] = [said for each in asked for batch in each.batches for said in answer(each, batch)]
            if turn:
                seconds[name].append(time.process_time() - began)
    own, others = seconds["this program"], seconds[peer]
    pairs = list(zip(*answers.values(), strict=True))
    rates = [len(pairs) / statistics.median(taken) for taken in (own, others)]
    ratios = sorted(other / mine for mine, other in zip(own, others, strict=True))
    same = sum(_choice(first) == _choice(second) for first, second in pairs)
    return (
        f"this program {rates[0]:,.0f}/s, {peer} {rates[1]:,.0f}/s, ratio {statistics.median(ratios):.2f}"
        f" ({ratios[0]:.2f} to {ratios[-1]:.2f} by turn); {same:,} of {len(pairs):,} answers equal"
    )


def _choice(answer: Answer) -> str | int:
    """Return the text, or the number of the likeliest option."""
    return answer if isinstance(answer, str) else list(answer).index(max(answer))


if __name__ == "__main__":
    with told_cost():
        main()
