"""A storage keeps its name whatever happens to one of the two files with it, and never gets another in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.tracking.environment import storage_id
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.store import LocalStore

DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "absent": lambda content: None,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"\x93NUMPY\x00\xff",
    **{f"bit {bit}": lambda content, bit=bit: bytes([content[0] ^ (1 << bit)]) + content[1:] for bit in range(8)},  # type: ignore[misc]
}


def _damage(path: Path, way: str) -> None:
    content = DAMAGES[way](path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)


@pytest.mark.parametrize("name", [layout.STORAGE_ID, layout.STORAGE_ID_COPY])
@pytest.mark.parametrize("way", DAMAGES)
def test_one_of_two_files_that_is_damaged_is_written_again(
    tmp_path: Path, name: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    known = storage_id(tmp_path)
    whole = (tmp_path / name).read_bytes()
    _damage(tmp_path / name, way)
    assert storage_id(tmp_path) == known
    assert (tmp_path / name).read_bytes() == whole
    assert str(tmp_path / name) in caplog.text or (name, way) == (layout.STORAGE_ID_COPY, "absent")
    caplog.clear()
    assert storage_id(tmp_path) == known
    assert caplog.text == ""


@pytest.mark.parametrize("way", ["absent", "empty", "half", "garbage"])
def test_a_name_that_is_lost_twice_is_asked_for_where_servers_may_know_it(tmp_path: Path, way: str) -> None:
    storage_id(tmp_path)
    LocalStore(tmp_path).put(layout.upload_offset("server", "study", "trial"), b"{}")
    for name in (layout.STORAGE_ID, layout.STORAGE_ID_COPY):
        _damage(tmp_path / name, way)
    for _ in range(2):
        with pytest.raises(InputError, match="must be the 8 hexadecimal digits") as refused:
            storage_id(tmp_path)
        assert str(tmp_path / layout.STORAGE_ID) in str(refused.value)
        assert "ablate.storage" in str(refused.value)
    (tmp_path / layout.STORAGE_ID).write_text("0123abcd\n")
    assert storage_id(tmp_path) == "0123abcd"


def test_a_storage_of_an_earlier_version_keeps_its_name_and_gets_a_copy_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LocalStore(tmp_path).put(layout.STORAGE_ID, b"0123abcd")
    assert storage_id(tmp_path) == "0123abcd"
    assert (tmp_path / layout.STORAGE_ID_COPY).is_file()
    assert caplog.text == ""


def test_a_new_storage_gets_a_name_of_its_own(tmp_path: Path) -> None:
    assert storage_id(tmp_path / "a") != storage_id(tmp_path / "b")
