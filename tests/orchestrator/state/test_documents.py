"""Two studies of a storage never have names that some file systems do not tell apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.state.documents import require_own_folder
from search_spaces.errors import InputError
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_a_name_that_differs_in_case_alone_is_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put(layout.study_file("Fast"), b"study: Fast")
    require_own_folder(store, "Fast")
    require_own_folder(store, "faster")
    with pytest.raises(InputError, match="must differ from others of its storage in more than case, but 'Fast' is"):
        require_own_folder(store, "fast")
