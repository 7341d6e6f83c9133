"""Write the JSON Schemas of what commands print for programs: `ablate schema --of KIND`.

Those of records that are printed as they are follow from their classes, so that they cannot differ from what is
printed; the plan, which is written piece by piece, has a schema of its own beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, get_args

from pydantic import TypeAdapter

from orchestrator.schema_version import SCHEMA_VERSION, OutputKind
from search_spaces.field_docstrings import field_docstrings, records_within
from search_spaces.schema import study_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def output_schema(kind: OutputKind) -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of a kind of output."""
    return _MAKERS[kind]()


def _plan() -> dict[str, Any]:
    text = resources.files("orchestrator").joinpath("plan.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _status() -> dict[str, Any]:
    from orchestrator.state.status import StudyStatus

    return _versioned(_of_record(StudyStatus), "What `ablate status STUDY --json` prints.")


def _report() -> dict[str, Any]:
    from orchestrator.reporting.report_model import Report

    schema = _of_record(Report)
    for picture in ("OpenSample", "Sample", "SuspectQuestion"):
        for field in ("image_bytes", "pixels"):
            schema["$defs"][picture]["properties"][field] = {"type": "null", "description": "Only in the HTML report."}
    schema["$defs"]["Provenance"]["required"].remove("left_out")  # written where something was left out
    _add_share(schema)
    schema["properties"] |= {
        "difference": {"type": "object", "description": "Of `run --json`: how the study differed from storage before."},
        "rehearsals": {"type": "array", "description": "Of `run --json`: the shapes of trials that were rehearsed."},
    }
    return _versioned(schema, "What `ablate report STUDY --json` and `ablate run STUDY --json` print.")


def _verdicts() -> dict[str, Any]:
    from orchestrator.analysis.verdict_model import Verdicts

    schema = _of_record(Verdicts)
    _add_share(schema)
    schema["properties"] |= {
        "arms": {"type": "array", "description": "Of `verdicts --items`: mean scores of every arm on every benchmark."},
        "priors": {"type": "array", "description": "Of `verdicts --items`: what scores without an image."},
    }
    return _versioned(schema, "What `ablate verdicts --json` prints.")


def _add_share(schema: dict[str, Any]) -> None:
    """Describe the field that is computed from the others of a score without images."""
    share = {"type": ["number", "null"], "description": "Share of the own score that needs no image."}
    schema["$defs"]["BlindScore"]["properties"]["share"] = share


def _items() -> dict[str, Any]:
    from orchestrator.items.table import REQUIRED, SCHEMA

    types = {"string": {"type": "string"}, "int64": {"type": "integer"}, "double": {"type": "number"}}
    properties: dict[str, Any] = {}
    for field in SCHEMA:
        named = types[str(field.type)]
        properties[field.name] = named if field.name in REQUIRED else {"anyOf": [named, {"type": "null"}]}
    properties["score"] |= {"minimum": 0, "maximum": 1}
    return {
        "$schema": DIALECT,
        "title": "A row that `ablate verdicts --items` reads: a question that an arm with a seed answered.",
        "type": "object",
        "properties": properties,
        "required": list(REQUIRED),
    }


def _events() -> dict[str, Any]:
    from orchestrator.running.event_log import EventName

    return {
        "$schema": DIALECT,
        "title": "A line of `ablate run --events FILE`.",
        "type": "object",
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION},
            "at": {"type": "number", "description": "Seconds since the epoch."},
            "event": {
                "enum": list(get_args(EventName)),
                "description": "More fields follow from it.",
            },
            "trial": {
                "type": "string",
                "description": "Its id, of all events that concern one.",
            },
        },
        "required": ["schema_version", "at", "event"],
    }


def _error() -> dict[str, Any]:
    from orchestrator.terminal.json_errors import ErrorKind

    text_or_null = {"type": ["string", "null"]}
    problem = {
        "type": "object",
        "properties": {
            "place": {**text_or_null, "description": "File and line, or the option."},
            "key": {**text_or_null, "description": "Dotted key path in the file."},
            "rule": {"type": "string", "description": "What must hold, and the value that breaks it."},
            "way_out": {**text_or_null, "description": "What to write or run instead."},
        },
        "required": ["place", "key", "rule", "way_out"],
        "additionalProperties": False,
    }
    error = {
        "type": "object",
        "properties": {
            "kind": {"enum": list(get_args(ErrorKind))},
            "exit_code": {"type": "integer"},
            "message": {"type": "string", "description": "What stderr says."},
            "problems": {"type": "array", "items": problem},
        },
        "required": ["kind", "exit_code", "message", "problems"],
        "additionalProperties": False,
    }
    schema = {"type": "object", "properties": {"error": error}, "required": ["error"], "additionalProperties": False}
    return _versioned(schema, "What any command with --json prints that could not do its work.")


_MAKERS: Mapping[OutputKind, Callable[[], dict[str, Any]]] = {
    "study": study_schema,
    "plan": _plan,
    "status": _status,
    "report": _report,
    "verdicts": _verdicts,
    "events": _events,
    "items": _items,
    "error": _error,
}


def _of_record(record: type) -> dict[str, Any]:
    """Make the schema of a dataclass that is printed with all its fields: closed, and with their docstrings."""
    schema: dict[str, Any] = TypeAdapter(record).json_schema(mode="serialization")
    records = records_within(record)
    for name, kind in {record.__name__: schema, **schema.get("$defs", {})}.items():
        if name not in records:
            continue
        kind.update(additionalProperties=False, required=list(kind.get("properties", {})))
        for field, text in field_docstrings(records[name]).items():
            kind["properties"][field].setdefault("description", text)
    return _with_undefined_numbers(schema)


def _with_undefined_numbers(schema: dict[str, Any]) -> dict[str, Any]:
    """Let every number be null: JSON has no NaN, so a number that is not defined is null."""
    changed = {key: _within(part) for key, part in schema.items() if key != "default"}
    return changed | {"type": ["number", "null"]} if changed.get("type") == "number" else changed


def _within(part: Any) -> Any:
    if isinstance(part, list):
        return list(map(_within, part))
    return _with_undefined_numbers(part) if isinstance(part, dict) else part


def _versioned(schema: dict[str, Any], title: str) -> dict[str, Any]:
    """Add the title of an output, and the version that each begins with."""
    version = {"const": SCHEMA_VERSION, "description": "Raised when a field is removed or means something else."}
    schema["properties"] = {"schema_version": version, **schema["properties"]}
    schema["required"] = ["schema_version", *schema["required"]]
    return {"$schema": DIALECT, **schema, "title": title}
