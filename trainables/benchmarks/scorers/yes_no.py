"""Find which of two words an answer gives, by the rules of several programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from trainables.benchmarks.contract import UNPARSABLE, Example, Parsed, Row, Summary
from trainables.benchmarks.scorers import normalisers
from trainables.benchmarks.scorers.summaries import Decisions, average_precision, grouped, margins, points, roc_auc

_WORD = re.compile(r"[a-z']+")


def option(text: str, options: Sequence[str]) -> str | None:
    """Find the option that a text equals but for case, surrounding space and one full stop; None without one."""
    answer = text.strip().removesuffix(".").strip().casefold()
    return next((name for name in options if name.casefold() == answer), None)


def first_sentence(text: str) -> Parsed:
    """Parse as POPE's own code: no if a word of the first sentence is exactly No, no or not; else yes.

    Words are split at single spaces, so "NO", "No!" and "no\\n" are yes. What holds no yes, or also a no in
    another spelling, counts as unparsable, and is a yes all the same.
    """
    sentence = text.split(".")[0]
    if {"No", "no", "not"} & set(sentence.replace(",", "").split(" ")):
        return Parsed("no")
    said, in_all = set(_WORD.findall(sentence.lower())), set(_WORD.findall(text.lower()))
    return Parsed("yes", ok=any("yes" in words and not {"no", "not"} & words for words in (said, in_all)))


def only_word(text: str) -> Parsed:
    """Parse as lmms-eval: yes or no is the whole output but for case and surrounding space."""
    answer = text.lower().strip()
    return Parsed(answer) if answer in ("yes", "no") else UNPARSABLE


def one_of_two_words(text: str) -> Parsed:
    """Parse as VLMEvalKit: exactly one of yes and no is among the words, else the answer is unknown."""
    words = set(normalisers.vlmevalkit_punctuation(text.lower()).split()) & {"yes", "no"}
    return Parsed(words.pop()) if len(words) == 1 else UNPARSABLE


def either(positive: str, negative: str) -> Callable[[str, Example], Parsed]:
    """Make a parser that finds the option that was ranked first, or whose word is the output."""

    def parse(output: str, example: Example) -> Parsed:
        name = option(output, (positive, negative))
        return UNPARSABLE if name is None else Parsed(name)

    return parse


def equals_reference(parsed: Parsed, example: Example) -> float:
    return float(parsed.value is not None and str(parsed.value).casefold() == str(example.reference).casefold())


def decisions(rows: Sequence[Row], positive: str = "yes") -> Decisions:
    """Count answers against references; every word but the positive one is a no."""
    return Decisions.count(
        (str(row.parsed.value).casefold() == positive for row in rows),
        (str(row.example.reference).casefold() == positive for row in rows),
    )


def curves(rows: Sequence[Row], positive: str, negative: str, suffix: str = "") -> Summary:
    """Compute ROC-AUC and PR-AUC (0 to 1) where every option was ranked; warn where only one class is there.

    Args:
        rows: scored examples.
        positive: name of the option that is the positive class.
        negative: name of the other option.
        suffix: end of the metrics' names.
    """
    scores = margins(rows, positive, negative)
    if scores is None or not rows:
        return Summary({})
    truth = [str(row.example.reference).casefold() == positive.casefold() for row in rows]
    areas = {"roc_auc": roc_auc(truth, scores), "pr_auc": average_precision(truth, scores)}
    missing = [name for name, area in areas.items() if area is None]
    where = f" of {suffix.removeprefix('/')}" if suffix else ""
    warnings = (f"{' and '.join(missing)}{where} need both classes",) if missing else ()
    return Summary({f"{name}{suffix}": area for name, area in areas.items() if area is not None}, warnings)


def split_means(rows: Sequence[Row], measures: Callable[[Decisions], dict[str, float]]) -> Summary:
    """Compute measures of each split, their unweighted mean over the splits, and pooled over all examples."""
    per_split = {split: decisions(members) for split, members in grouped(rows, "split").items()}
    each = {split: measures(counts) for split, counts in per_split.items()}
    pooled = decisions(rows)
    metrics = {name: sum(measured[name] for measured in each.values()) / max(1, len(each)) for name in measures(pooled)}
    for split, values in each.items():
        metrics.update({f"{name}/{split}": value for name, value in values.items()})
    if len(each) > 1:
        metrics.update({f"{name}/pooled": value for name, value in measures(pooled).items()})
    warnings = [f"{split}: given as 0: {what}" for split, counts in per_split.items() for what in counts.undefined()]
    return Summary(metrics, tuple(warnings))


def ranked_accuracy(positive: str, negative: str) -> Callable[[Sequence[Row]], Summary]:
    """Make a summary of the accuracy and the areas under ROC and precision-recall curve."""

    def summarise(rows: Sequence[Row]) -> Summary:
        areas = curves(rows, positive, negative)
        return Summary({"accuracy": points([row.score for row in rows]), **areas.metrics}, areas.warnings)

    return summarise
