"""Reading a pickle as data: lists, dicts, tuples, text, bytes, numbers, booleans and None, and nothing else.

RefCOCO's references are published as pickles, and a pickle is a program: `pickle.loads` runs what it says. Here every
opcode that would look up or call something is refused, before anything is looked up.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import Any, ClassVar

from search_spaces.errors import InputError

_PLAIN = frozenset(
    {
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "LIST", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    }
)
"""Opcodes of pickletools that build plain values."""


def load_plain(data: bytes, place: str) -> Any:
    """The value of a pickle of any protocol; text that Python 2 wrote as bytes is read as Latin-1.

    Raises:
        InputError: for anything that is no plain value (a class, a function, a call), and for what is no pickle.
    """
    try:
        return _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()
    except _NotPlainError as error:
        raise InputError(
            f"a pickle must hold plain values only, but has {error}",
            place=place,
            way_out="Such a file can run programs: get the published one.",
        ) from error
    except _DAMAGED as error:
        raise InputError(f"must be a pickle, but {error or type(error).__name__}", place=place) from error


class _NotPlainError(Exception):
    """An opcode that does more than to build plain values."""


_DAMAGED = (
    *(pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError),
    *(struct.error, OverflowError, MemoryError),
)
"""What the standard library raises for damaged pickles."""


def _refuse(name: str) -> Callable[[Any], None]:
    def refuse(unpickler: Any) -> None:
        raise _NotPlainError(name)

    return refuse


class _PlainUnpickler(pickle._Unpickler):
    """The unpickler of the standard library that is written in Python, because its opcodes are a table: here most of
    them are refused. (The one in C can also be made to reserve any amount of memory.)"""

    dispatch: ClassVar = {
        ord(code): pickle._Unpickler.dispatch[ord(code)] if op.name in _PLAIN else _refuse(op.name)
        for code, op in pickletools.code2op.items()  # type: ignore[attr-defined]
    }

    def find_class(self, module: str, name: str) -> Any:
        raise _NotPlainError(f"{module}.{name}")
