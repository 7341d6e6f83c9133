"""Let processes race for one lease with wrong clocks and equal names, and count who was robbed of it while alive.

Each taker runs in a PID namespace of its own (as root on Linux; elsewhere they share one), under one host name, with a
clock that is up to 90 s wrong, by which it also dates its leases. One time in 100 it walks away from a lease without
giving it back: that one may be taken over after the silence, and no other. Time passes faster for observers, so that a
silence takes a second.

    python -m measurements.leases --takers 16 --rounds 10000
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measurements.cost import told_cost
from trainables.storage import lease as leases
from trainables.storage import lease_observer
from trainables.storage.lease import LEASE_SILENCE_S
from trainables.storage.owner import Owner
from trainables.storage.store import LocalStore

FASTER = 40.0
WRONG_BY_S = 90.0
ABANDONED_ONE_IN = 100
HELD = "held"
_APART = ["unshare", "--pid", "--fork", "--mount-proc"]
_OTHER_PID = 'number=$0; for _ in $(seq "$number"); do /bin/true; done; "$@"; exit $?'
"""Shell that gives its command another number in every namespace: `$0` processes come before it."""


def race(folder: Path, takers: int, rounds: int) -> dict[str, int]:
    """Run the takers until the lease was won `rounds` times. Returns how often, and how often wrongly.

    Args:
        folder: where the storage and the notes of the takers are.
        takers: how many processes.
        rounds: how often the lease is won, by all together.
    """
    (folder / "notes").mkdir()
    has_namespaces = _has_namespaces()
    options = ["--folder", str(folder), "--rounds", str(rounds), "--taker"]
    running = [
        subprocess.Popen(
            [
                *([*_APART, "sh", "-c", _OTHER_PID, str(number)] if has_namespaces else []),
                *(sys.executable, "-m", "measurements.leases", *options, str(number)),
            ]
        )
        for number in range(takers)
    ]
    codes = [taker.wait() for taker in running]
    if any(codes):
        raise SystemExit(f"takers ended with {codes}")
    notes = [line.split() for file in (folder / "notes").iterdir() for line in file.read_text().splitlines()]
    kinds = [kind for kind, *_ in notes]
    return {
        "won": kinds.count("won"),
        "taken over": kinds.count("took-over"),
        "two holders": kinds.count("two"),
        "robbed": kinds.count("robbed"),
        "namespaces": len({namespace for kind, namespace in notes if kind == "namespace"}),
    }


def _has_namespaces() -> bool:
    return (
        shutil.which("unshare") is not None and subprocess.run([*_APART, "true"], capture_output=True).returncode == 0
    )


def _take(folder: Path, number: int, rounds: int) -> None:
    """Race as one taker until all rounds are won; what happened is written down line by line."""
    dice = random.Random(number)
    wrong_by = dice.uniform(-WRONG_BY_S, WRONG_BY_S)
    true_time, true_monotonic, true_utime = time.time, time.monotonic, os.utime
    socket.gethostname = lambda: "node"
    time.time = lambda: true_time() + wrong_by
    lease_observer.time.monotonic = lambda: true_monotonic() * FASTER  # type: ignore[attr-defined]  # the same module
    leases.os.utime = lambda path: true_utime(path, (time.time(), time.time()))  # type: ignore[attr-defined]
    store, here = LocalStore(folder / "storage"), Owner.here()
    wins, held = folder / "wins", folder / HELD
    with (folder / "notes" / str(number)).open("w") as notes:
        print("namespace", here.namespace or "none", file=notes)
        while not wins.exists() or wins.stat().st_size < rounds:
            lease = store.lease("stage", here)
            if lease is None:
                continue
            now = true_monotonic()  # before the sign of life: a silence begins after it, however long this then sleeps
            lease.renew()
            print("won", number, file=notes)
            before = held.read_text().split() if held.exists() else []
            if before and before[0] == "working" and now - float(before[1]) < LEASE_SILENCE_S / FASTER:
                print("two" if lease.is_held() else "robbed", number, file=notes)
            if before and before[0] == "abandoned":
                print("took-over", number, file=notes)
                if now - float(before[1]) < LEASE_SILENCE_S / FASTER * 0.9:
                    print("robbed", number, file=notes)
            _note(held, "working", now, number)
            with wins.open("ab") as file:
                file.write(b".")
            if dice.randrange(ABANDONED_ONE_IN) == 0:
                _note(held, "abandoned", now, number)
                continue
            if not lease.is_held() and true_monotonic() - now < LEASE_SILENCE_S / FASTER:
                print("robbed", number, file=notes)
            held.unlink(missing_ok=True)
            lease.release()


def _note(path: Path, state: str, since: float, number: int) -> None:
    aside = path.with_name(f"{path.name}.{number}")
    aside.write_text(f"{state} {since}")
    os.replace(aside, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the race, or be one of its takers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--takers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="of a taker")
    parser.add_argument("--taker", type=int, help="number of a taker")
    given = parser.parse_args(arguments)
    if given.taker is not None:
        _take(given.folder, given.taker, given.rounds)
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        began = time.monotonic()
        counts = race(Path(folder), given.takers, given.rounds)
        print(
            f"{given.takers} takers, {time.monotonic() - began:.0f} s:",
            ", ".join(f"{n} {k}" for k, n in counts.items()),
        )
    if counts["two holders"] or counts["robbed"]:
        raise SystemExit("a lease was taken from a living holder")


if __name__ == "__main__":
    with told_cost():
        main()
