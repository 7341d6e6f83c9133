"""Open the tracking server in a thread while the cluster starts: MLflow and its database take seconds to load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.tracking.database_place import tell_shared_database

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_tracker import MlflowTracker


@contextmanager
def opening_tracker(
    uri: str | None, storage: Path, tell: Callable[[str], None]
) -> Iterator[Callable[[], MlflowTracker]]:
    """Begin to open a tracker (`open_tracker`); yields what waits for it and returns it, or raises why it cannot.

    Args:
        uri: of the server; None for the database embedded in the storage.
        storage: root of the storage.
        tell: is told where the embedded database lies, if it is not safe there.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="open-tracker") as thread:
        opened = thread.submit(_open, uri, storage)

        def wait() -> MlflowTracker:
            tracker = opened.result()
            if uri is None:
                tell_shared_database(storage, tell)
            return tracker

        yield wait


def _open(uri: str | None, storage: Path) -> MlflowTracker:
    from orchestrator.tracking.mlflow_connect import open_tracker

    return open_tracker(uri, storage)
