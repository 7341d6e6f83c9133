"""`ablate mcp`: studies as tools of language-model agents."""

from __future__ import annotations

from orchestrator.commands.options import DataOption, StorageOption
from orchestrator.settings import chosen_root, data_root
from search_spaces.errors import InputError


def mcp(storage: StorageOption = None, data: DataOption = None) -> None:
    """Serve studies to agents over stdin and stdout, by the Model Context Protocol: list, plan, run, status, verdicts,
    answers, stop."""
    try:
        from orchestrator.mcp_server import StudyTools, make_server
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mcp":
            raise
        way_out = "python -m pip install 'ablate-vlm[mcp]'"
        raise InputError("the package mcp must be installed", key="mcp", way_out=way_out) from error
    root = chosen_root(storage)
    make_server(StudyTools(root, data_root(data, root))).run("stdio")
