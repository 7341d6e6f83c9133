"""Records of every kind on storage, drawn from the types of their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import BaseModel, RootModel

from orchestrator.planning.question_checks import CheckedQuestions
from orchestrator.planning.weights_check import CheckedWeights
from orchestrator.state.added_seeds import AddedSeeds
from orchestrator.state.claims import ClaimRecord
from orchestrator.state.documents import PlanDocument
from orchestrator.state.looks import LookRecord
from orchestrator.state.noise_floor import NoiseFloor
from orchestrator.tracking.upload_cursor import UploadCursor
from trainables.storage import records

_OF_WORKERS = [
    kind for kind in vars(records).values() if isinstance(kind, type) and kind.__module__ == records.__name__
]
_OF_DRIVERS = [
    AddedSeeds,
    CheckedQuestions,
    CheckedWeights,
    ClaimRecord,
    LookRecord,
    NoiseFloor,
    PlanDocument,
    UploadCursor,
]
KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (*_OF_WORKERS, *_OF_DRIVERS) if is_dataclass(kind) or issubclass(kind, RootModel)
}
"""Name of a kind of record -> its type. The caches of catalogue entries and tasks of trials, whose fields have further
laws, are in tests/orchestrator/commands/test_damaged_storage.py."""

_SHORT = st.text(max_size=6)
_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: _SHORT,
    int: st.integers(-(2**70), 2**70),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    NoneType: st.none(),
    Any: st.sampled_from([None, 1, "x", [1], {"x": 2.5}]),
}


def drawn(kind: Any) -> st.SearchStrategy[Any]:
    """Draw values of a type that a record has: plain values, tuples, mappings, unions, dataclasses, tuples, models."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is Annotated:
        return drawn(parts[0])
    if origin in (Union, UnionType):
        return st.one_of([drawn(part) for part in parts])
    if origin is tuple:
        items = [drawn(part) for part in parts if part is not ...]
        return st.lists(items[0], max_size=2).map(tuple) if ... in parts else st.tuples(*items)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(drawn(parts[0]), drawn(parts[1]), max_size=2)
    if issubclass(kind, RootModel):
        return drawn(kind.model_fields["root"].annotation).map(kind)
    if issubclass(kind, BaseModel):
        return st.just(kind())
    names = kind._fields if issubclass(kind, tuple) else [field.name for field in fields(kind)]
    hints = get_type_hints(kind)
    return st.builds(_builder(kind), **{name: drawn(hints[name]) for name in names})


def _builder(kind: Any) -> Callable[..., Any]:
    """Return what makes a record from its fields."""
    return lambda **values: kind(**values)
