"""Give an embedded cluster a token of its own, so that no other user of the machine can connect to it.

Loopback is shared by all users of a machine, and whoever reaches a Ray cluster can run code as its owner. Ray would
take the token of `~/.ray/auth_token`, or make one there that is readable for everyone and lives for ever.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.process_state import set_environment


@contextmanager
def private_token(folder: Path) -> Iterator[None]:
    """Make clusters that are started in the block, and this process, demand and send a random token.

    It is in a file of mode 0600; processes learn its path from their environment. Afterwards the user's own settings
    are in force again.

    Args:
        folder: private to this user; must be there until the processes of the cluster have ended.
    """
    path = folder / "token"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    try:
        with set_environment(
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": None, "RAY_AUTH_TOKEN_PATH": str(path)}
        ):  # a token in the environment would be preferred to the file
            _read_environment_again()
            yield
    finally:
        _read_environment_again()
        path.unlink(missing_ok=True)


def _read_environment_again() -> None:
    """Make Ray's library read mode and token again, which it keeps from the first time that it needed them."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # its stubs are older

    Config.initialize("")  # the mode first: a thread that still sends would look for the token of the old mode
    AuthenticationTokenLoader.instance().reset_cache()
