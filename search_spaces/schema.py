"""Write the JSON Schema of study files, for editors: completion and checks while writing."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel

from search_spaces.catalogue.entries import StageResources
from search_spaces.catalogue.load import shipped
from search_spaces.catalogue.recipe_entries import StagePatch
from search_spaces.field_docstrings import field_docstrings, records_within
from search_spaces.projectors import ProjectorKind
from search_spaces.resource_spec import ResourceSpec
from search_spaces.seeds import SEED_SOURCES
from search_spaces.spec import SeedSplit
from search_spaces.study import Study
from search_spaces.typed import nested_models

FILE = "study.schema.json"
"""Name of the committed schema, beside the shipped studies."""


def study_schema() -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of a study file, short forms included."""
    schema = Study.model_json_schema()
    kinds = schema["$defs"]
    catalogue = shipped()
    fields = schema["properties"]

    of_source = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]}
    said = field_docstrings(SeedSplit)
    fields["seeds"]["properties"] = {
        source: {"description": f"Seeds of a source of chance. {said[source]}", **of_source} for source in SEED_SOURCES
    }
    _may_be(schema, fields, "seeds", {"type": "array", "items": {"type": "integer"}, "minItems": 1})
    _may_be(schema, fields, "recipe", {"type": "string", "examples": list(catalogue.recipes)})
    _may_be(schema, fields, "resources", {"type": "string", "examples": list(catalogue.resources)})
    kinds["Resources"]["properties"]["preset"]["examples"] = list(catalogue.resources)
    suites_and_ids = [*catalogue.suites, *catalogue.benchmarks]
    one_benchmark = {"anyOf": [{"type": "string", "examples": suites_and_ids}, {"$ref": "#/$defs/BenchmarkChoice"}]}
    for key in ("benchmarks", "samples"):
        fields[key]["items"] = one_benchmark
        _may_be(schema, fields, key, {"type": "string", "examples": suites_and_ids})
    for suite in fields["suites"]["patternProperties"].values():
        suite["items"] = one_benchmark
    _may_be(schema, kinds["Base"]["properties"], "vision", {"type": "string", "examples": list(catalogue.encoders)})
    _may_be(schema, kinds["Base"]["properties"], "projector", {"type": "string", "enum": list(get_args(ProjectorKind))})
    _may_be(schema, kinds["Base"]["properties"], "language", {"type": "string", "examples": list(catalogue.languages)})
    _may_be(schema, kinds["Hypothesis"]["properties"], "on", {"type": "string"})
    kinds["VisionChoice"]["properties"]["backbone"]["examples"] = list(catalogue.encoders)
    kinds["LanguageChoice"]["properties"]["model"]["examples"] = list(catalogue.languages)
    fields["axes"]["additionalProperties"] = {
        "description": "A list of values of the dotted path that names the axis, or label -> value or changes.",
        "anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}],
    }
    arms = fields["arms"]  # null removes an arm of the study that is extended
    arms["additionalProperties"] = {"anyOf": [arms["additionalProperties"], {"type": "null"}]}
    patches: list[type[BaseModel]] = [StagePatch, *nested_models(StagePatch).values(), StageResources]
    for patch in patches:
        for field in kinds[patch.__name__]["properties"].values():
            field.pop("default", None)  # what is not set stays as it is: these are no defaults
    if "extends" not in schema.get("required", []):
        schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends"]}]
    for kind, names in (
        ("LanguageEntry", catalogue.languages),
        ("EncoderEntry", catalogue.encoders),
        ("FusedEntry", catalogue.encoders),
    ):
        entry = kinds[kind]
        extends = {"type": "string", "description": "An entry that this one changes.", "examples": list(names)}
        entry["properties"] = {"extends": extends, **entry["properties"]}
        entry["anyOf"] = [{"required": entry.pop("required")}, {"required": ["extends"]}]
    kinds["Base"].pop("required", None)  # a file that extends another may leave out anything
    _describe(schema, kinds)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study of ablate-vlm",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def schema_text() -> str:
    """Write the schema as it is committed."""
    return json.dumps(study_schema(), indent=2) + "\n"


def _describe(schema: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Give every property the docstring of its field as its description, where it has none yet."""
    models = records_within(Study) | records_within(StagePatch)
    of_resources = field_docstrings(ResourceSpec)
    for name, kind in {Study.__name__: schema, **kinds}.items():
        texts = field_docstrings(models[name])
        if models[name] is StageResources:
            texts = of_resources | texts  # the same fields, of a single stage
        for field, definition in kind.get("properties", {}).items():
            if field in texts:
                definition.setdefault("description", texts[field])


def _may_be(schema: dict[str, Any], fields: dict[str, Any], name: str, short: dict[str, Any]) -> None:
    """Let a field of a schema have a short form as well."""
    long = fields[name]
    notes = {key: long.pop(key) for key in ("description", "default") if key in long}
    fields[name] = {**notes, "anyOf": [short, long]}
