"""The list of commands, and the exit code of bad input. Commands import what they need when they run, so that help
and plans answer at once."""

from __future__ import annotations

import sys

import typer

from orchestrator.commands import study
from orchestrator.commands.benchmarks import benchmarks
from orchestrator.commands.data import data
from orchestrator.commands.export import export
from orchestrator.commands.score import score
from orchestrator.commands.submit import submit
from orchestrator.commands.verdicts import verdicts
from orchestrator.settings import refuse_foreign_packages
from search_spaces.errors import InputError

EXIT_DONE, EXIT_BAD_INPUT = 0, 2

app = typer.Typer(
    help="Ablation studies of vision-language models: one YAML file in, trained, evaluated and compared models out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    study.schema,
    study.plan,
    study.run,
    study.status,
    study.report,
    study.logs,
    study.sync,
    export,
    submit,
    verdicts,
    score,
):
    app.command()(command)
app.add_typer(data, name="data")
app.add_typer(benchmarks, name="benchmarks")


def main() -> None:
    """Run the command line; bad input becomes a message and exit code 2."""
    try:
        refuse_foreign_packages()
        app()
    except InputError as error:
        print(f"ablate: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except BrokenPipeError:
        sys.exit(EXIT_DONE)
