"""Begin, go on with and finish features on storage, each producer in a folder that no other writes to. No torch.

A producer that is killed has left what the next one goes on from. One whose run is only silent, so that its lease was
taken over, goes on unawares, with its files open: what it writes must not get between the rows of its successor. So a
successor goes on in a folder that it has found only if the process that has filled it has surely ended, and else in a
copy. Rows are verified by their digests in either case. Who is whole first gives the features their name.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil

from trainables.storage import layout
from trainables.storage.digests import ROW_DIGEST_BYTES
from trainables.storage.finished import finished_features
from trainables.storage.lease import OCCUPIED
from trainables.storage.store import ASIDE, Store
from trainables.storage.work_folders import has_ended, is_abandoned, is_of_this_process, write_owner


def begin_production(store: Store, key: str) -> str:
    """Make a folder for this process to compute features in, with what the furthest earlier producer has left.

    Args:
        store: storage of the features.
        key: of the features.

    Returns:
        The nonce of the folder.
    """
    nonce = secrets.token_hex(8)
    for earlier in _furthest_first(store, key):
        try:
            _adopt(store, key, earlier, nonce)
            break
        except FileNotFoundError:
            continue  # another process has adopted or finished it meanwhile, be it while it was copied
    write_owner(store, layout.features_producer(key, nonce))
    return nonce


def finish_production(store: Store, key: str, nonce: str) -> None:
    """Give whole features their name, unless another producer was faster; remove what nobody goes on with.

    Args:
        store: storage of the features.
        key: of the features.
        nonce: of the folder that they were computed in.
    """
    whole, final = layout.features_in_progress(key, nonce), layout.features_folder(key)
    try:
        store.move(whole, final)
    except OSError as error:
        if error.errno not in OCCUPIED:
            raise
        if finished_features(store, key) is None:  # what an earlier version left there unfinished
            store.remove(final)
            store.move(whole, final)
    store.remove(layout.features_producer(key, nonce))
    for producer in (layout.features_producer(key, left) for left in store.folders(layout.features_aside(key))):
        if is_abandoned(store, producer):
            store.remove(producer)
    store.remove_empty(layout.features_aside(key))


def _furthest_first(store: Store, key: str) -> list[str]:
    """List the folders of earlier producers that have computed anything, those with most rows first."""
    rows = {nonce: _rows(store, key, nonce) for nonce in store.folders(layout.features_aside(key))}
    return sorted((nonce for nonce in rows if rows[nonce]), key=lambda nonce: (-rows[nonce], nonce))


def _rows(store: Store, key: str, nonce: str) -> int:
    """Count the rows that a producer says to have computed."""
    try:
        return store.facts(layout.rows_in_progress(key, nonce)).size // ROW_DIGEST_BYTES
    except FileNotFoundError:
        return 0


def _adopt(store: Store, key: str, earlier: str, nonce: str) -> None:
    """Take what an earlier producer has computed: its folder if it has surely ended, else a copy.

    Args:
        store: storage of the features.
        key: of the features.
        earlier: nonce of that producer's folder.
        nonce: of the folder that is made.

    Raises:
        FileNotFoundError: it is gone, or files of it are; then nothing of the copy is left.
    """
    producer = layout.features_producer(key, earlier)
    if has_ended(store, producer) or is_of_this_process(store, producer):
        store.move(producer, layout.features_producer(key, nonce))
        return
    source = store.reading(layout.features_in_progress(key, earlier))
    with store.writing(layout.features_in_progress(key, nonce)) as copy:
        try:
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns(f"*{ASIDE}"))
        except shutil.Error as error:
            if any(os.path.lexists(name) for name, _, _ in error.args[0]):
                raise
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source)) from error
