"""Say what a reader of a score must know of the answers that were not read, and of the best that could be reached."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.benchmarks.contract import Example, Protocol, Row
from trainables.benchmarks.model_text import MODEL_TEXTS, bare_answer

NOTED_SHARE = 0.1
"""Above it unparsable outputs are noted."""
TELLING_SHARE = 0.5
"""Above it a score says more of the form of the answers than of the model."""
SAYS_LITTLE = "more than half of the answers could not be read"
"""How the note begins that no verdict passes over."""
_SHOWN = 60


def is_answer_read(protocol: Protocol, row: Row) -> bool:
    """Check whether a protocol read an output, and read what the bare answer in it says.

    An author's parser may take "no</s>" for a yes, or for a wrong answer. The score stays what that code gives, but
    the output counts as unparsable. An output that is the reference itself is read, however it looks.
    """
    output, example = row.prediction, row.example
    if not row.parsed.ok or not output.strip():
        return False
    bare = bare_answer(output)
    if bare == output or output in references_of(example):
        return True
    alone = protocol.parse(bare, example)
    return not alone.ok or alone.value == row.parsed.value


def references_of(example: Example) -> Sequence[str]:
    """List the texts that are right answers to an example; none where the right answer is no text."""
    reference = example.reference
    if isinstance(reference, dict):
        reference = reference.get("answer", reference.get("answers", ""))
    return [reference] if isinstance(reference, str) else reference if isinstance(reference, list) else ()


def unparsable_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """Note a large share of outputs that could not be read, with an example of them.

    Args:
        rows: those that count, scored.
    """
    unread = [row for row in rows if not row.is_read]
    if len(unread) <= NOTED_SHARE * len(rows):
        return ()
    shown = unread[0].prediction if len(unread[0].prediction) <= _SHOWN else f"{unread[0].prediction[:_SHOWN]}..."
    example = f"e.g. {shown!r} to {unread[0].example.id}"
    if len(unread) > TELLING_SHARE * len(rows):
        return (f"{SAYS_LITTLE} ({len(unread):,} of {len(rows):,}), {example}: the score says little of the model",)
    return (f"{len(unread):,} of {len(rows):,} answers could not be read, {example}",)


def best_note(best: Sequence[Row], metric: str, value: float) -> tuple[str, ...]:
    """Note where no answer at all could get full marks.

    Args:
        best: a best row of each example that counts.
        metric: name of the headline metric.
        value: what a perfect model gets in it.
    """
    capped = [row for row in best if row.score < 1]
    if not capped:
        return ()
    return (
        f"the best reachable {metric} is {value:.2f}: for {len(capped):,} of {len(best):,} examples the rule gives no"
        f" answer full marks, e.g. {capped[0].example.id}",
    )


def model_text_changes(protocol: Protocol, outputs: Sequence[str]) -> bool:
    """Check whether what a harness does to a model's text would change outputs that were scored as they stand."""
    hand_over = MODEL_TEXTS[protocol.model_text]
    return any(hand_over(output) != output for output in outputs)
