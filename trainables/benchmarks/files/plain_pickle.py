"""Read a pickle as data: lists, dicts, tuples, text, bytes, numbers, booleans and None, and nothing else.

RefCOCO's references are published as pickles, and a pickle is a program: `pickle.loads` runs it. Here is the
recipe of Python's documentation ("Restricting Globals"): an unpickler that finds no class and no function.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any, ClassVar, NoReturn

from search_spaces.errors import InputError


def load_plain(data: bytes, place: str) -> Any:
    """Read the value of a pickle of any protocol; text that Python 2 wrote as bytes is read as Latin-1.

    Args:
        data: content of the file.
        place: the file, for errors.

    Raises:
        InputError: for anything that is no plain value (a class, a function, a set), and for what is no pickle.
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
    """Content of a pickle that is no plain value."""


_DAMAGED = (
    *(pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError),
    *(struct.error, OverflowError, MemoryError),
)
"""What the standard library raises for damaged pickles."""


def _refuse(unpickler: Any) -> None:
    raise _NotPlainError("a set or a bytearray")


class _PlainUnpickler(pickle._Unpickler):
    """Unpickler that refuses every name, and with it every call: what is called must be looked up first.

    This is the standard library's unpickler that is written in Python. The one in C (`pickle.Unpickler`) reserves as
    much memory as an index in the file demands: eight bytes of file can ask for 32 GB.
    """

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _NotPlainError(f"{module}.{name}")

    dispatch: ClassVar = {
        **pickle._Unpickler.dispatch,
        **dict.fromkeys((pickle.EMPTY_SET[0], pickle.FROZENSET[0], pickle.BYTEARRAY8[0]), _refuse),
    }
    """Opcodes that build other values without a name."""
