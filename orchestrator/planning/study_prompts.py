"""Show how a study's benchmark is asked: an example's prompt in the chat format of every language model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.planning.named_study import named_study
from orchestrator.planning.planned import PlanOptions, expand
from search_spaces.errors import InputError, nearest
from search_spaces.spec import BenchmarkSpec, LanguageSpec, TrialSpec
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.example_json import load_example
from trainables.benchmarks.registry import find_protocol, is_evaluation
from trainables.data.readers import open_reader
from trainables.evaluation.asking import Asked, ask, ask_by_all
from trainables.evaluation.closed_answers import protocol_of
from trainables.model.prompts import render_question
from trainables.model.tokenizer import PLACE, checkpoint_tokenizer
from trainables.model.weights import find_weights

_ALL_ANSWERS = "every answer that occurs"


@dataclass(frozen=True)
class StudyPrompt:
    """Prompt of one example as the language models of a study read it."""

    benchmark: BenchmarkSpec
    example: Example
    asked: Asked
    read_as: dict[str, str]
    """Language model and prompt style -> the text after beginning of sequence and image."""

    others: dict[str, Asked]
    """The example as the other protocols of the benchmark put it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark.id,
            "source": self.benchmark.source.declared,
            "protocol": self.benchmark.protocol,
            "example": self.example.id,
            "prompt": self.asked.prompt,
            "answered": self.asked.answered,
            "read_as": self.read_as,
            "protocols": {
                name: {"prompt": asked.prompt, "answered": asked.answered} for name, asked in self.others.items()
            },
        }


def study_prompt(name: str, benchmark: str, options: PlanOptions) -> StudyPrompt:
    """Put the first example of a study's benchmark.

    Args:
        name: a study file, or the name of a study that ships.
        benchmark: id of one of its benchmarks or samples.
        options: the plan's; data and weights are looked for there.

    Raises:
        InputError: the study has no such benchmark, or its files or a chat template cannot be read.
    """
    expansion = expand(named_study(name, options.storage, options.overrides), options)
    sets = {spec.id: spec for spec in expansion.evaluation_sets}
    if benchmark not in sets:
        law = f"must be a benchmark of {name} ({', '.join(sets)}), but got {benchmark!r}"
        raise InputError(law, key="BENCHMARK", way_out=nearest(benchmark, sets))
    example, protocol = _first(sets[benchmark], options.data)
    asked = ask(protocol, example)
    forms = _forms(expansion.specs(options.limit), options.data)
    read_as = {label: form.replace(PLACE, asked.prompt) for label, form in forms.items()}
    return StudyPrompt(sets[benchmark], example, asked, read_as, _by_others(sets[benchmark], example))


def _by_others(benchmark: BenchmarkSpec, example: Example) -> dict[str, Asked]:
    if not is_evaluation(benchmark.source):
        return {}
    asked = ask_by_all(find_protocol(benchmark)[0], example)
    return {name: other for name, other in asked.items() if name != benchmark.protocol}


def _first(benchmark: BenchmarkSpec, data_root: Path) -> tuple[Example, Protocol]:
    """Read the first example that a benchmark scores, and the protocol that asks it."""
    chosen = frozenset(() if benchmark.only is None else benchmark.only.ids)
    for record in open_reader(benchmark.source, data_root).records():
        if benchmark.select is not None and benchmark.select not in record.tags:
            continue
        if benchmark.only is not None and record.id not in chosen:
            continue
        if is_evaluation(benchmark.source):
            return load_example(str(record.example)), find_protocol(benchmark)[1]
        *_, (question, answer) = record.turns
        example = Example(record.id, record.image or record.id, record.image, question, reference=answer)
        return example, protocol_of(benchmark.answers or (_ALL_ANSWERS,))
    wanted = "is chosen by `only`" if benchmark.only is not None else f"has the tag {benchmark.select!r}"
    law = f"must have at least one example, but none of {benchmark.source.declared} {wanted}"
    raise InputError(law, key=f"benchmarks.{benchmark.id}")


def _forms(specs: list[TrialSpec], data_root: Path) -> dict[str, str]:
    """Write the form of every language model's prompts once."""
    languages = {f"{spec.language.name}, prompt style {spec.language.prompt}": spec.language for spec in specs}
    return {label: _form(language, data_root) for label, language in languages.items()}


def _form(language: LanguageSpec, data_root: Path) -> str:
    if language.prompt != "template":
        return "".join(segment.text for segment in render_question(language.prompt, (), PLACE))
    assert language.checkpoint is not None
    path = find_weights(language.checkpoint, data_root)
    return checkpoint_tokenizer(path, language.family, language.name).question_form("template")
