"""Play the first hour of a new user: ``python -m measurements.first_hour [--small] [--environment VENV]``.

In a clone of this repository with an empty home: `make quickstart`, then every command of docs/own-data.md, each in a
shell of its own. Each is timed, and what it prints is compared with what the documents show; the table says both. Ends
with 1 if something differs, or if own data need more than ten minutes to a verdict.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measurements.first_hour.play import NewUser, Played, first_commands, seconds_to_a_verdict

LONGEST_TO_A_VERDICT_S = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m measurements.first_hour", description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="two tiny trials in place of the quickstart, no time limit"
    )
    parser.add_argument("--environment", type=Path, help="a virtual environment to use; else `make` installs one")
    arguments = parser.parse_args()
    if arguments.small and arguments.environment is None:
        parser.error("--small installs nothing: name an --environment")
    environment = arguments.environment.absolute() if arguments.environment is not None else None
    with tempfile.TemporaryDirectory(prefix="first-hour-") as folder:
        user = NewUser(Path(folder), environment)
        steps = [user.get_the_program()]
        _show(steps[0])
        for step in user.play(first_commands(is_small=arguments.small, is_installed=environment is not None)):
            steps.append(step)
            _show(step)
    own = seconds_to_a_verdict(steps)
    differing = sum(step.difference is not None for step in steps)
    print(f"{sum(step.seconds for step in steps):7.1f} s  {len(steps)} commands, {differing} differ from the documents")
    print(f"{own:7.1f} s  from `ablate init` to a verdict on own data")
    is_slow = own > LONGEST_TO_A_VERDICT_S and not arguments.small
    if is_slow:
        print(f"own data must have a verdict within {LONGEST_TO_A_VERDICT_S:.0f} s", file=sys.stderr)
    return 1 if differing or is_slow else 0


def _show(step: Played) -> None:
    """Print a line of the table, and below it what differs."""
    print(f"{step.seconds:7.1f} s  {'differs' if step.difference else 'as shown':8}  {step.command}", flush=True)
    if step.difference:
        print(f"{step.difference}\n{step.output}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
