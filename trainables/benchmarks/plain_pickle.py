"""Reading a pickle as data: lists, dicts, tuples, text, bytes, numbers, booleans and None, and nothing else.

RefCOCO's references are published as pickles, and a pickle is a program: `pickle.loads` runs what it says. Here every
opcode that would look up or call something is refused, before anything is looked up.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from typing import Any

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
        for opcode, argument, position in pickletools.genops(data):
            if opcode.name not in _PLAIN:
                named = f" {argument}" if argument is not None else ""
                raise InputError(
                    f"a pickle must hold plain values only, but at byte {position} it has {opcode.name}{named}",
                    place=place,
                    way_out="Such a file can run programs: get the published one.",
                )
        return _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"must be a pickle, but {error}", place=place) from error


_BROKEN = (
    *(pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError),
    *(struct.error, OverflowError, MemoryError, UnicodeError, RecursionError),
)
"""What pickle and pickletools raise for damaged input."""


class _PlainUnpickler(pickle.Unpickler):
    """A second lock behind the list of opcodes."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it names an object outside of the file")
