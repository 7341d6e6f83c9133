"""Claims about search_spaces/credentials.py: nothing secret in an address is left in a text."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search_spaces.credentials import has_credentials, without_credentials
from search_spaces.error_text import first_line, named_message
from search_spaces.errors import InputError

SECRET = "c4n4ry"


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{SECRET}@host:5000",
        f"http://{SECRET}@host/path",
        f"http://:{SECRET}@host",
        f"postgresql+psycopg2://user:{SECRET}@db.example:5432/mlflow",
        f"http://user:a@b{SECRET}@host",
        f"http://user:a/{SECRET}@host/x",
        f"http://user:a:{SECRET}#1@host",
        f"http://[::1]:5000/?token={SECRET}",
        f"https://host/x?a=1&api_key={SECRET}&b=2",
        f"https://host/x?X-Amz-Signature={SECRET}",
        f"s3://{SECRET}:{SECRET}@bucket/path",
        f"ray://user:{SECRET}@head:10001",
    ],
)
def test_without_credentials_leaves_no_secret(address: str) -> None:
    for text in (address, f"refused: '{address}' (twice: {address})", f"<{address}>, and so on"):
        assert SECRET not in without_credentials(text)
    assert has_credentials(address)
    assert SECRET not in str(InputError(f"must answer, but {address} does not", place=address, way_out=address))
    assert SECRET not in first_line(address)
    assert SECRET not in named_message(ValueError(address))


@pytest.mark.parametrize(
    "text",
    [
        "http://host:5000/#/experiments/1",
        "sqlite:////home/me/.ablate/tracking/mlflow.db",
        "http://10.0.0.1:8265/a@b",
        "s3://bucket/key/of/a/file?versionId=3",
        "hub:org/name@main",
        "user@host without an address",
        "https://[2001:db8::1]:5000/path?page=2",
        "http://@host:5000/",
        "://@",
    ],
)
def test_without_credentials_changes_no_other_text(text: str) -> None:
    assert without_credentials(text) == text
    assert not has_credentials(text)


_WORDS = st.text(alphabet=string.ascii_letters + string.digits + "-._~!$&()*+,;=:@%/?#[]", max_size=12)


_NAMES = st.text(alphabet=string.ascii_letters + string.digits + "-._~!$&()*+,;=@%", max_size=12)


@given(user=_NAMES, before=_WORDS, after=_WORDS)
def test_whatever_a_password_holds_it_is_not_left(user: str, before: str, after: str) -> None:
    assume(not re.match(r"[^/?#:@]*:\d{1,5}[/?#]", f"{user}:{before}"))  # that is a host with its port to every client
    assert SECRET not in without_credentials(f"http://{user}:{before}{SECRET}{after}@host:5000/path")
