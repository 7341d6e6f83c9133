"""Claims about trainables/storage/layout.py: no value that a name is made of leads out of the storage."""

from __future__ import annotations

import inspect

import pytest

from search_spaces.errors import InputError
from tests.support.layout_names import FOLDERS, FUNCTIONS, PARTS_OF_NAMES, READERS, values_of
from trainables.storage import layout

OUTSIDE = ("../x", "..", "/x", "a/../../x")
TEXTS = [
    (function, parameter)
    for function in (*FUNCTIONS, *FOLDERS, *PARTS_OF_NAMES)
    for parameter, value in values_of(function).items()
    if isinstance(value, str)
]


@pytest.mark.parametrize(("function", "parameter"), TEXTS)
def test_a_value_that_leads_elsewhere_makes_no_name(function: str, parameter: str) -> None:
    for outside in OUTSIDE:
        with pytest.raises(InputError):
            getattr(layout, function)(**{**values_of(function), parameter: outside})


def test_every_function_is_tried() -> None:
    makers = {
        name for name, maker in inspect.getmembers(layout, inspect.isfunction) if maker.__module__ == layout.__name__
    }
    assert makers - {function for function, _ in TEXTS} == {"node_spools", *READERS}  # these read names that are there
