"""Claims about orchestrator/mcp_server.py, told by a client of the protocol over stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.state.runs import living_runs
from tests.support.command_line import ROOT
from trainables.storage.store import LocalStore

mcp = pytest.importorskip("mcp")

TOOLS = {"list_studies", "plan", "run", "status", "verdicts", "answers", "stop"}


class Agent:
    """A client that has called the server, inside of `talk`."""

    def __init__(self, client: Any):
        self._client = client

    async def tools(self) -> dict[str, str]:
        listed = await self._client.list_tools()
        return {tool.name: tool.description for tool in listed.tools}

    async def call(self, tool: str, **arguments: Any) -> Any:
        answer = await self._client.call_tool(tool, arguments)
        text = answer.content[0].text
        assert not answer.is_error, text
        return json.loads(text)

    async def refusal(self, tool: str, **arguments: Any) -> str:
        answer = await self._client.call_tool(tool, arguments)
        assert answer.is_error
        return str(answer.content[0].text)


def talk(storage: Path, conversation: Any) -> None:
    """Start the server as an agent does, and have a conversation with it."""

    async def connected() -> None:
        command = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-m", "orchestrator", "mcp", "--storage", str(storage)],
            cwd=str(ROOT),
            env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        async with mcp.Client(command) as client:
            await conversation(Agent(client))

    asyncio.run(connected())


def test_an_agent_lists_and_plans_studies_and_reads_what_is_wrong(tmp_path: Path) -> None:
    async def conversation(agent: Agent) -> None:
        tools = await agent.tools()
        assert set(tools) == TOOLS
        assert all(tools.values())
        assert "quickstart" in (await agent.call("list_studies"))["shipped"]
        plan = await agent.call("plan", study="quickstart", overrides=["seeds=[7]"])
        assert plan["totals"]["trials"] == len(plan["arms"]) == 8
        assert "must be a number" in await agent.refusal("plan", study="quickstart", overrides=["base.epochs=no"])
        assert "nothing is there" in await agent.refusal("status", study="quickstart")

    talk(tmp_path / "absent", conversation)


def test_a_run_that_ends_at_once_tells_why_and_one_that_is_starting_can_be_stopped(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    storage.mkdir()

    async def conversation(agent: Agent) -> None:
        await agent.call("run", study="quickstart", address="nowhere")
        status = await agent.call("status", study="quickstart")
        while status["last_run"]["exit_code"] is None:
            await asyncio.sleep(0.5)
            status = await agent.call("status", study="quickstart")
        assert status["last_run"]["exit_code"] == 2
        assert "nowhere" in status["last_run"]["last_lines"]

        started = await agent.call("run", study="quickstart", toy=True)
        again = await agent.call("run", study="quickstart", toy=True)
        assert (again["already_running"], again["pid"]) == (True, started["pid"])
        assert (await agent.call("stop", study="quickstart", toy=True))["asked"] == [
            f"process {started['pid']}, which was starting"
        ]
        status = await agent.call("status", study="quickstart", toy=True)
        while status["last_run"]["exit_code"] is None:
            await asyncio.sleep(0.5)
            status = await agent.call("status", study="quickstart", toy=True)
        assert status["last_run"]["exit_code"] in (143, -15)

    talk(storage, conversation)


@pytest.mark.ray
def test_an_agent_runs_a_study_follows_it_and_reads_what_it_found(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    storage.mkdir()

    async def conversation(agent: Agent) -> None:
        study: dict[str, Any] = {"study": "quickstart", "toy": True}
        started = await agent.call("run", **study, limit=2)
        events, lines = Path(started["events"]), list[str]()
        ends = time.monotonic() + 300
        while not (lines and json.loads(lines[-1])["event"] == "run ended"):
            assert time.monotonic() < ends, Path(started["log"]).read_text()
            await asyncio.sleep(0.5)
            lines = events.read_text().splitlines() if events.exists() else []
        assert json.loads(lines[-1])["exit_code"] == 0, Path(started["log"]).read_text()
        assert (await agent.call("status", **study))["counts"]["done"] == 2
        assert len((await agent.call("verdicts", **study))["verdicts"]) == 4
        answers = await agent.call("answers", **study, benchmark="easy-vqa-shape", arm="base", which="all", limit=3)
        assert [row["question"] for row in answers["questions"]] == ["what shape is in the image?"] * 3
        assert [(row["arm"], row["seed"]) for row in answers["questions"][0]["answers"]] == [("base", 7), ("base", 8)]
        assert "must be one of" in await agent.refusal("answers", **study, arm="nobody")
        assert (await agent.call("stop", **study))["asked"] == []

    talk(storage, conversation)
    assert living_runs(LocalStore(storage), "quickstart-toy") == []
