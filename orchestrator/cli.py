"""The list of commands, and how they end when something goes wrong. Commands import what they need when they run, so
that help and plans answer at once."""

from __future__ import annotations

import io
import os
import shlex
import signal
import sys
import tempfile
import traceback
from gc import freeze, set_threshold
from typing import Annotated, NoReturn

import typer

from orchestrator import __version__
from orchestrator.commands import study
from orchestrator.commands.answers import answers
from orchestrator.commands.benchmarks import benchmarks
from orchestrator.commands.data import data
from orchestrator.commands.diff import diff
from orchestrator.commands.doctor import doctor
from orchestrator.commands.export import export
from orchestrator.commands.figures import figures
from orchestrator.commands.import_results import import_results
from orchestrator.commands.init import init
from orchestrator.commands.json_options import takes_bounds
from orchestrator.commands.mcp import mcp
from orchestrator.commands.names import ls, show
from orchestrator.commands.noise import noise
from orchestrator.commands.open import open_mlflow
from orchestrator.commands.plain_values import refuse_empty_paths, with_plain_numbers
from orchestrator.commands.plan import plan
from orchestrator.commands.questions import questions
from orchestrator.commands.run import run
from orchestrator.commands.score import score
from orchestrator.commands.storage import gc, verify
from orchestrator.commands.studies import stop, studies
from orchestrator.commands.submit import submit
from orchestrator.commands.verdicts import verdicts
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_CRASH, EXIT_DONE, EXIT_SIGNAL, EXIT_STOPPED
from orchestrator.running.storage_pause import StorageGoneError
from orchestrator.settings import refuse_foreign_packages
from orchestrator.terminal.json_errors import Ending, asks_for_json, ending_json
from orchestrator.terminal.stops import StoppedError, stop_with_a_sentence, storage_full, storage_gave_out
from search_spaces.credentials import without_credentials
from search_spaces.error_text import first_line, named_message
from search_spaces.errors import InputError
from search_spaces.full_storage import is_full

GARBAGE_THRESHOLD = 100_000
"""New objects between two looks for reference cycles. Plans and results of large studies are millions of objects in
which there are none; with Python's 700 a third of the time to plan 100,000 arms goes into looking at them again."""

app = typer.Typer(
    help="Ablation studies of vision-language models: one YAML file in, trained, evaluated and compared models out.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    init,
    study.schema,
    doctor,
    plan,
    run,
    study.status,
    study.report,
    figures,
    answers,
    diff,
    study.logs,
    study.sync,
    export,
    submit,
    verdicts,
    noise,
    questions,
    score,
    gc,
    verify,
    stop,
    studies,
    ls,
    show,
    mcp,
):
    app.command()(command)
app.command(name="import")(import_results)
app.command(name="open")(open_mlflow)
app.add_typer(data, name="data")
app.add_typer(benchmarks, name="benchmarks")
for group in (app, data, benchmarks):
    for registered in group.registered_commands:
        assert registered.callback is not None
        registered.callback = with_plain_numbers(takes_bounds(registered.callback))


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"ablate-vlm {__version__}")
        raise typer.Exit


@app.callback()
def _ablate(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def main() -> None:
    """Run the command line. What goes wrong becomes a sentence and an exit code, whatever it is."""
    stop_with_a_sentence()
    _open_streams()
    set_threshold(GARBAGE_THRESHOLD)
    try:
        refuse_foreign_packages()
        refuse_empty_paths(sys.argv[1:])
        _run_command()
    except BrokenPipeError:
        sys.exit(EXIT_DONE)
    except (Exception, StoppedError) as error:
        _end(_ending(error))
    finally:
        freeze()  # else Python looks for reference cycles among all objects once more before it ends


def _run_command() -> None:
    """Run the command that the arguments name; mistakes in its options are told by typer, or as JSON."""
    if not asks_for_json(sys.argv[1:]):
        app()
        return
    try:
        code = app(standalone_mode=False)
    except typer.BadParameter as error:
        _end(Ending("usage", EXIT_BAD_INPUT, f"ablate: {error.format_message()}"))
    except typer.TyperException as error:
        _end(Ending("usage", EXIT_BAD_INPUT, f"ablate: {error}"))
    except typer.Abort:
        _end(Ending("stopped", EXIT_SIGNAL + signal.SIGINT, "ablate: aborted"))
    sys.exit(code if isinstance(code, int) else EXIT_DONE)


def _ending(error: Exception | StoppedError) -> Ending:
    """Turn what a command raised into a sentence and an exit code."""
    match error:
        case InputError():
            return Ending("input", EXIT_BAD_INPUT, f"ablate: {error}", error)
        case StoppedError():
            code = EXIT_SIGNAL + error.number if error.by is None else EXIT_STOPPED
            return Ending("stopped", code, f"ablate: stopped by {error}; the same command goes on")
        case StorageGoneError():
            return Ending("storage", EXIT_STOPPED, f"ablate: {storage_gave_out(str(error))}")
        case _ if is_full(error):
            return Ending("storage", EXIT_STOPPED, f"ablate: {storage_full(first_line(error))}")
        case OSError(filename=str(file)):
            return Ending("input", EXIT_BAD_INPUT, f"ablate: {file}: {error.strerror or type(error).__name__}")
        case _:
            return _crash(error)


def _open_streams() -> None:
    """Have a terminal that cannot show a character show its code, and take output that was closed for unwanted."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # until the process ends
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end(ending: Ending) -> NoReturn:
    """Print a sentence for people, and a JSON object for programs that asked for one, and end the process."""
    if asks_for_json(sys.argv[1:]):
        print(ending_json(ending))
    print(ending.sentence, file=sys.stderr)
    sys.exit(ending.code)


def _crash(error: Exception) -> Ending:
    """Say that the program has a defect, and write the traceback to a file for those who mend it."""
    lines = list(map(without_credentials, traceback.format_exception(error)))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="ablate-crash-", suffix=".txt", delete=False) as file:
            file.writelines([f"{without_credentials(shlex.join(sys.argv))}\n\n", *lines])
        where = f"The traceback is in {file.name}: please report it with the command."
    except OSError:
        where = "".join(lines)
    return Ending("defect", EXIT_CRASH, f"ablate: a defect in the program: {named_message(error)}\n{where}")
