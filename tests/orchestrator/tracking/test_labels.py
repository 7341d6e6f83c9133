"""Names are legal in MLflow, and labels that are shortened stay different."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from orchestrator.tracking.labels import distinct_labels, legal_name, looks


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("eval/refcoco+/acc@0.5", "eval/refcocoplus/acc at 0.5"),
        ("vision.resize", "vision.resize"),
        ("train//loss", "train/loss"),
        ("../../etc", "etc"),
        ("été", "_t_"),
        ("", "_"),
    ],
)
def test_legal_name_keeps_what_it_can(name: str, legal: str) -> None:
    assert legal_name(name) == legal


@given(st.text(max_size=400))
def test_legal_name_is_taken_by_mlflow(name: str) -> None:
    _validate_metric_name(legal_name(name))
    assert len(legal_name(name)) <= 250


@given(st.lists(st.text("ab-1", min_size=1, max_size=24), unique=True, max_size=12), st.integers(0, 12))
def test_labels_look_different_however_they_are_shortened(labels: list[str], before: int) -> None:
    known = distinct_labels(labels[:before], {})
    told = distinct_labels(labels, known)
    assert all(not looks(one) & looks(other) for one, other in combinations(told.values(), 2))
    assert all(label in text for label, text in told.items())
    assert {label: told[label] for label in known} == known
