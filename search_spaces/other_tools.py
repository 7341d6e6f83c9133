"""Recognise search spaces in the words of other tools, and say how their values are written here.

Read by this program's own rules, many of them would mean something else: ``lr: {min: 1e-5, max: 1e-3}`` two arms that
are called min and max. The words are those of W&B sweeps, Optuna, Hydra and its sweepers, Katib, Ray Tune, NNI, Vertex
AI, SageMaker, scikit-learn and of matrices in CI files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.flow_text import flow_text, plain_value
from search_spaces.yaml_source import Document, KeyPath


def words(text: str) -> frozenset[str]:
    """Split a text into the set of its words."""
    return frozenset(text.split())


_LISTS = words(
    "value values val vals choice choices categories categorical candidates options list grid gridsearch points"
    " feasiblepoints args"
)
"""Keys below which other tools list values. Keys are compared in lower case, without `_` and `-`."""
_LOWS = words("min low lower start from minimum minvalue minval lowerbound")
_HIGHS = words("max high upper stop end to maximum maxvalue maxval upperbound")
_SPECS = words(
    "feasiblespace doublevaluespec integervaluespec discretevaluespec categoricalvaluespec bounds range interval"
    " uniform loguniform quniform qloguniform randint lograndint normal lognormal linspace logspace geomspace"
    " arange log linear"
)
"""Keys below which they write a whole space."""
_KINDS = words("distribution dist kind type parametertype scaletype scalingtype scale prior sampler")
_BESIDE = words("step q num n count log mu sigma mean std loc probabilities probs weights p name default unit base")
_DISTRIBUTIONS = re.compile(
    r"(?i).*(uniform|normal|choice|categorical|constant|grid|discrete|log|linear|beta|int|float|double|random|auto).*"
)
_CALL = re.compile(r"\s*([A-Za-z_][\w.]*)\s*\((.*)\)\s*", re.DOTALL)
_CALLED = words(
    "choice choices range interval tag shuffle sort uniform quniform loguniform qloguniform log_uniform randint"
    " qrandint lograndint qlograndint randn qrandn normal qnormal lognormal qlognormal grid_search sample_from linspace"
    " logspace geomspace arange suggest_float suggest_int suggest_categorical suggest_uniform suggest_loguniform"
    " pchoice grid sample values glob"
)
_RANGES = frozenset(_CALLED) - {"choice", "choices", "tag", "shuffle", "sort", "grid_search", "grid", "values"}
_SLICE = re.compile(r"\s*([A-Za-z_]\w*)\s*\[(.*)\]\s*", re.DOTALL)
_TEMPLATE = re.compile(r"\$\{[^}]*\}|\{\{.*\}\}|%\(\w+\)s|\$\(\w+\)")

LONGEST_RANGE = 12
"""A range of whole numbers with more members is shown by its ends."""


@dataclass(frozen=True)
class ForeignSpace:
    """Values of an axis as another tool writes them."""

    texts: tuple[str, ...]
    """The values, or the ends of a range, as they are written in a list."""
    is_range: bool

    def law(self, written: str, *, is_scalar: bool) -> str:
        """Say what an axis is, and what there is instead: a text or a number, or a list or mapping of another tool."""
        if self.is_range:
            return f"an axis lists its values; ranges are not searched, but got {written}"
        if is_scalar:
            return f"an axis must be a list of values, or a mapping, but got {written}"
        return f"an axis lists its values as they are, but got {written}"


def is_template(text: str) -> bool:
    """Tell whether a text has a part that another program would fill in, such as ``${name}``."""
    return bool(_TEMPLATE.search(text))


def foreign_space(value: Any, document: Document, path: KeyPath) -> ForeignSpace | None:
    """Recognise what stands for the values of an axis as the words of another tool; None for this program's own.

    Args:
        value: a mapping, a list or a text.
        document: knows how scalars were written.
        path: where the document has the value.
    """
    if isinstance(value, Mapping):
        return _of_mapping(value, document, path)
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, list):
        return _of_list(value, document, path)
    return None


def _of_list(value: list[Any], document: Document, path: KeyPath) -> ForeignSpace | None:
    """Recognise a list whose items are spaces themselves, or maps of one value each."""
    spaces = [
        foreign_space(item, document, (*path, i)) if isinstance(item, Mapping) else called_space(item)
        for i, item in enumerate(value)
    ]
    if not any(spaces):
        return None
    texts = [
        text
        for i, (item, space) in enumerate(zip(value, spaces, strict=True))
        for text in (space.texts if space else (flow_text(item, document, (*path, i)),))
    ]
    return ForeignSpace(tuple(dict.fromkeys(texts)), any(space.is_range for space in spaces if space))


def _of_mapping(value: Mapping[str, Any], document: Document, path: KeyPath) -> ForeignSpace | None:
    words = {word_of(key): key for key in value}
    if not words or not words.keys() <= _LISTS | _LOWS | _HIGHS | _SPECS | _KINDS | _BESIDE:
        return None
    for word in sorted(words.keys() & _SPECS):
        inner = value[words[word]]
        if isinstance(inner, Mapping):
            return _of_mapping(inner, document, (*path, words[word]))
        if isinstance(inner, list):
            return ForeignSpace(listed_texts(inner, document, (*path, words[word]))[:2], True)
    listed = _listed(words, value, document, path)
    if listed is not None:
        return listed
    lows, highs = (sorted(words.keys() & ends) for ends in (_LOWS, _HIGHS))
    ends = [words[word] for word in (*lows, *highs)]
    if not all(_is_number(value[key]) for key in ends) or _is_labelled(words):
        return None
    is_described = bool(words.keys() & (_KINDS | _BESIDE)) and bool(words.keys() & _KINDS or ends)
    is_lone_end = words.keys() <= {"min", "max", "minimum", "maximum", "minvalue", "maxvalue"}
    if (lows and highs) or is_lone_end or (is_described and _describes(words, value)):
        return ForeignSpace(_range_texts(ends, words, value, document, path), True)
    return None


def _listed(
    words: Mapping[str, str], value: Mapping[str, Any], document: Document, path: KeyPath
) -> ForeignSpace | None:
    """Take the values below a key such as `values` or `choices`; `_value` of NNI is a range where `_type` says so."""
    for word in sorted(words.keys() & _LISTS):
        key, inner = words[word], value[words[word]]
        beside = words.keys() - {word} <= _KINDS | _BESIDE
        if isinstance(inner, Mapping) or not beside:
            continue
        kinds = " ".join(str(value[words[kind]]) for kind in words.keys() & _KINDS).lower()
        texts = listed_texts(inner if isinstance(inner, list) else [inner], document, (*path, key))
        below = _of_list(inner, document, (*path, key)) if isinstance(inner, list) else None
        if below is not None:
            return below
        if isinstance(inner, list):
            return ForeignSpace(texts, any(name in kinds for name in ("uniform", "normal", "randint")))
        if isinstance(inner, str) and word not in ("value", "val"):
            return _of_text(inner)
        if word in ("value", "val") or len(words) > 1:
            return ForeignSpace((flow_text(inner, document, (*path, key)),), False)
    return None


def _is_labelled(words: Mapping[str, str]) -> bool:
    """Tell whether low and high are labels: with `base` between them they are no ends of a range."""
    return {"low", "high", "base"} <= words.keys()


def _describes(words: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    """Tell whether a distribution is named."""
    kinds = [value[words[word]] for word in words.keys() & _KINDS]
    return any(isinstance(kind, str) and _DISTRIBUTIONS.fullmatch(kind) for kind in kinds) or (
        bool(words.keys() & (_LOWS | _HIGHS)) and bool(words.keys() & {"step", "q", "num", "log"})
    )


def _range_texts(
    ends: list[str], words: Mapping[str, str], value: Mapping[str, Any], document: Document, path: KeyPath
) -> tuple[str, ...]:
    """Write the members of a short range of whole numbers, the ends of any other, or the middle of a distribution."""
    step = next((value[words[word]] for word in ("step", "q") if word in words), None)
    if len(ends) == 2 and isinstance(step, int):
        members = _members(plain_value(str(value[ends[0]])), plain_value(str(value[ends[1]])), step, is_open=False)
        if members:
            return members
    if ends:
        return tuple(str(flow_text(_number(value[key]), document, (*path, key))) for key in ends)
    middles = [words[word] for word in ("mu", "mean", "loc") if word in words]
    return tuple(flow_text(value[key], document, (*path, key)) for key in middles)


def _of_text(text: str) -> ForeignSpace | None:
    """Recognise a text where a list must stand: a call, a tuple, items with commas, a range, or a single value."""
    called = called_space(text)
    if called is not None:
        return called
    bare = text.strip()
    sliced = _SLICE.fullmatch(bare)
    if sliced and sliced[1].lower() in _CALLED:
        return ForeignSpace(_arguments(sliced[2].replace(":", ",")), sliced[1].lower() in _RANGES)
    if bare.startswith(("[", "(")) and bare.endswith(("]", ")")):
        return ForeignSpace(_arguments(bare[1:-1]), False)
    span = re.fullmatch(r"(-?\d+)\s*(?:\.\.\.?|:|-)\s*(-?\d+)", bare)
    if span:
        members = _members(int(span[1]), int(span[2]), 1, is_open=False)
        return ForeignSpace(members or (span[1], span[2]), True)
    separator = next((mark for mark in ",;|" if mark in bare), None)
    value = plain_value(bare)
    if isinstance(value, Mapping | list):
        return foreign_space(value, Document(value), ()) or ForeignSpace((), False)
    if separator is not None:
        return ForeignSpace(_arguments(bare.replace(separator, ",")), False)
    apart = bare.split()
    if len(apart) > 1 and all(map(_is_number, apart)):
        return ForeignSpace(tuple(dict.fromkeys(apart)), False)
    return ForeignSpace((flow_text(value),), False) if bare else None


def called_space(text: Any) -> ForeignSpace | None:
    """Recognise a call such as ``choice(a,b)``, ``range(1,5)`` or ``tune.loguniform(1e-5, 1e-3)``."""
    match = _CALL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    name = match[1].rpartition(".")[2].lower()
    if name not in _CALLED and "." not in match[1]:
        return None
    inner = [called_space(part) for part in _split(match[2])]
    nested = next((space for space in inner if space is not None), None)
    if nested is not None:
        return nested
    texts = _arguments(match[2])
    numbers = [plain_value(part) for part in texts]
    if name in ("range", "arange") and numbers and all(isinstance(number, int) for number in numbers):
        first, last = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
        members = _members(first, last, numbers[2] if len(numbers) > 2 else 1, is_open=True)
        texts = members or texts
    if name.endswith("space"):
        texts = texts[:2]
    if name == "suggest_categorical":
        texts = _arguments(match[2].partition(",")[2])
    is_range = name in _RANGES
    ends = tuple(text for text in texts if _is_number(plain_value(text)))
    return ForeignSpace(ends if is_range and len(ends) > 1 else texts, is_range)


def _members(first: Any, last: Any, step: int, *, is_open: bool) -> tuple[str, ...]:
    """List a short range of whole numbers; nothing for a long one, or for other ends."""
    if not (isinstance(first, int) and isinstance(last, int)) or step < 1:
        return ()
    members = range(first, last if is_open else last + 1, step)
    return tuple(map(str, members)) if 0 < len(members) <= LONGEST_RANGE else ()


def _split(text: str) -> list[str]:
    """Split arguments at the commas that stand outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        quote = "" if character == quote else character if character in "'\"" and not quote else quote
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _arguments(text: str) -> tuple[str, ...]:
    """Write the arguments of a call as YAML; brackets around all of them are taken off, names of arguments left out."""
    parts = _split(text)
    if len(parts) == 1 and parts[0][:1] in ("[", "(") and parts[0][-1:] in ("]", ")"):
        parts = _split(parts[0][1:-1])
    bare = [re.sub(r"^\w+\s*=\s*(?!=)", "", part) for part in parts]
    values = [(part, plain_value(part)) for part in bare]
    return tuple(dict.fromkeys(part if _is_number(value) else flow_text(value) for part, value in values))


def listed_texts(values: list[Any], document: Document, path: KeyPath) -> tuple[str, ...]:
    """Write the values of a list, each once; numbers without the quotes that another tool wants."""
    texts = (flow_text(_number(value), document, (*path, i)) for i, value in enumerate(values))
    return tuple(dict.fromkeys(texts))


def _number(value: Any) -> Any:
    """Read a number that another tool wants in quotes."""
    read = plain_value(value) if isinstance(value, str) else value
    return read if _is_number(read) else value


def _is_number(value: Any) -> bool:
    read = plain_value(value) if isinstance(value, str) else value
    return isinstance(read, int | float) and not isinstance(read, bool) and math.isfinite(read)


def word_of(key: str) -> str:
    """Write a key as keys of other tools are compared: in lower case, without `_` and `-`."""
    return re.sub(r"[_-]", "", str(key)).lower()
