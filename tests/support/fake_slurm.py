"""Stand in for Slurm on this machine: read a script's directives as sbatch does, and start the steps of srun.

Options that Slurm does not have, or values of another form, end the command with an error. Each call is a line of the
log. Run as a program, it is one of the commands: `python fake_slurm.py srun --nodes=1 ... COMMAND`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NODES = ("node-a", "node-b", "node-c", "node-d")
FIRST = NODES[0]

COUNT, NAME = r"[1-9]\d*", r"[\w-]+"
DIRECTIVES = {
    "job-name": NAME,
    "nodes": COUNT,
    "ntasks-per-node": COUNT,
    "cpus-per-task": COUNT,
    "mem": r"\d+[KMGT]?",
    "gpus-per-node": COUNT,
    "time": r"\d+:\d\d:\d\d",
    "partition": NAME,
    "account": NAME,
    "signal": r"B:USR1@\d+",
    "requeue": "",
    "open-mode": "append|truncate",
    "output": r"[\w%.-]+",
}
"""Options of sbatch that a script may have -> the form of their values."""
STEP_OPTIONS = {
    "nodes": COUNT,
    "ntasks": COUNT,
    "ntasks-per-node": COUNT,
    "cpus-per-task": COUNT,
    "nodelist": NAME,
    "exclude": NAME,
}
"""The same of srun."""

OWN_FOLDER = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs "$RAY_TMPDIR" && exec "$@"', "sh"]
"""Beginning of a command that sees a folder of Ray of its own, as on another machine."""


@dataclass(frozen=True)
class Call:
    """A call of one of Slurm's commands."""

    tool: str
    arguments: list[str]


def install(folder: Path) -> Path:
    """Write the commands into a folder for PATH. Returns it."""
    folder.mkdir()
    for tool in ("srun", "scontrol"):
        command = folder / tool
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {tool} "$@"\n')
        command.chmod(0o755)
    return folder


def directives(script: str) -> dict[str, str]:
    """Read the options that a script begins with.

    Raises:
        ValueError: for one that sbatch does not have, or has in another form.
    """
    lines = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]
    assert script.splitlines()[0] == "#!/bin/bash"
    return dict(_option(line, DIRECTIVES) for line in lines)


def job_environment(script: str, job_id: int, log: Path, bin_folder: Path) -> dict[str, str]:
    """Return the environment in which Slurm runs a script on the first of its nodes."""
    read = directives(script)
    count = int(read["nodes"])
    return {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_ID": str(job_id),
        "SLURM_JOB_NODELIST": ",".join(NODES[:count]),
        "SLURM_JOB_NUM_NODES": str(count),
        "ABLATE_HEAD_ADDRESS": "127.0.0.1",
        "FAKE_SLURM_LOG": str(log),
    }


def calls(log: Path) -> list[Call]:
    """Read the calls that were made, in their order."""
    return [Call(**json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def _option(text: str, legal: Mapping[str, str]) -> tuple[str, str]:
    name, _, value = text.removeprefix("--").partition("=")
    if not text.startswith("--") or name not in legal or re.fullmatch(legal[name], value) is None:
        raise ValueError(f"Slurm has no option {text!r}")
    return name, value


def _srun(arguments: Sequence[str]) -> int:
    """Start a command on the nodes of a step and wait for its end. SIGTERM goes to the command, as with srun."""
    end = next(number for number, word in enumerate(arguments) if not word.startswith("--"))
    options, command = dict(_option(word, STEP_OPTIONS) for word in arguments[:end]), list(arguments[end:])
    assert options["nodes"] == options["ntasks"]
    match options.get("nodelist"), options.get("exclude"):
        case (None, None):
            assert options["nodes"] == os.environ["SLURM_JOB_NUM_NODES"]
        case (node, None) | (None, node):
            assert node == FIRST, "a step is on the first node, on all others, or on all"
    if "exclude" in options and os.environ.get("FAKE_SLURM_FOLDERS"):
        # fixed ports of Ray's agent would be taken by that of the first node
        command = [*OWN_FOLDER, *(word for word in command if not re.match("--(dashboard-agent|metrics)", word))]
        command += [f"--dashboard-agent-{kind}-port={port}" for kind, port in _agent_ports(arguments).items()]
    steps = [subprocess.Popen(command) for _ in range(int(options["nodes"]))]
    signal.signal(signal.SIGTERM, lambda *_: [step.terminate() for step in steps])
    return max(step.wait() for step in steps)


def _agent_ports(arguments: Sequence[str]) -> dict[str, int]:
    ports = dict(re.findall(r"--dashboard-agent-(\w+)-port=(\d+)", " ".join(arguments)))
    return {kind: int(port) + 5 for kind, port in ports.items()}


def _scontrol(arguments: Sequence[str]) -> int:
    match list(arguments):
        case ["show", "hostnames", nodes]:
            print("\n".join(nodes.split(",")))
        case ["requeue", job] if job == os.environ["SLURM_JOB_ID"]:
            pass
        case _:
            raise ValueError(f"scontrol has no {arguments}")
    return 0


def main(tool: str, arguments: Sequence[str]) -> int:
    """Run one of the commands. Returns its exit code."""
    with open(os.environ["FAKE_SLURM_LOG"], "a") as log:
        log.write(json.dumps({"tool": tool, "arguments": list(arguments)}) + "\n")
    return {"srun": _srun, "scontrol": _scontrol}[tool](arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
