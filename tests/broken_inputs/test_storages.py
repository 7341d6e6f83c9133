"""Storages below any name, on file systems that lack something; addresses of clusters as people write them."""

from __future__ import annotations

import errno
import mmap
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from cluster.address import given_address
from orchestrator.planning.planned import PlanOptions
from orchestrator.tracking.embedded_database import embedded_uri
from search_spaces.credentials import without_credentials
from search_spaces.errors import InputError
from search_spaces.full_storage import FULL
from tests.support.broken_inputs import tries
from trainables.storage.probe import require_capable
from trainables.storage.store import LocalStore

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
OPERATIONS = ((os, "replace"), (os, "rename"), (os, "utime"), (os, "mkdir"), (os, "rmdir"), (mmap, "mmap"))
ERRORS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EIO, errno.EROFS, errno.EXDEV, *FULL)


@tries("storages")
@given(name=NAMES, operation=st.sampled_from(OPERATIONS), number=st.sampled_from(ERRORS))
def test_require_capable_whatever_one_operation_says_is_named_with_the_folder(
    name: str, operation: tuple[Any, str], number: int
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / name
        root.mkdir()
        require_capable(root)

        def fail(*arguments: Any, **options: Any) -> NoReturn:
            raise OSError(number, os.strerror(number))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*operation, fail)
            with pytest.raises((InputError, OSError)) as raised:
                require_capable(root)
        if number in FULL:
            assert getattr(raised.value, "errno", None) == number
        else:
            assert isinstance(raised.value, InputError)
            assert raised.value.place == str(root)
            assert os.strerror(number) in raised.value.law


@tries("storages")
@given(name=NAMES)
def test_a_storage_below_any_name_keeps_its_files_and_its_address_and_flags_can_be_pasted(name: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / name
        store = LocalStore(root)
        store.put("stages/a/result.json", b"{}")
        assert store.list("") == ["stages/a/result.json"]
        assert [entry.name for entry in Path(scratch).iterdir()] == [name]
        assert make_url(embedded_uri(root)).database == f"{root}/tracking/mlflow.db"
        flags = PlanOptions(storage=root, data=root / "sources").flags()
        assert shlex.split(shlex.join(flags)) == ["--storage", str(root)]


@tries("addresses")
@given(
    value=st.one_of(
        st.text(max_size=30),
        st.builds("{}://{}:{}".format, st.sampled_from(["http", "ray", "redis", "x"]), NAMES, st.integers(0, 99999)),
        st.builds("{}:{}".format, st.sampled_from(["127.0.0.1", "[::1]", "head", ""]), st.integers(-1, 99999)),
    )
)
def test_given_address_is_a_head_or_refused_by_name(value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        try:
            address = given_address(value)
        except InputError as error:
            refused = error
            address = None
        else:
            refused = None
    if refused is not None:
        assert refused.place == "--address"
        assert without_credentials(repr(value)) in refused.law
        return
    if address is None:
        assert value in ("", "local")
    elif value != "auto":
        port = int(address.value.rpartition(":")[2])
        assert (address.value, 0 < port < 65536) == (value, True)
