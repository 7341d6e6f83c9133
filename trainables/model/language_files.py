"""Read and check the files of a language model: its folder or its GGUF file. No torch.

A folder is one in the hub's form: config.json, model.safetensors (or shards with an index, or pytorch_model.bin), and
the tokenizer's files. A GGUF file holds all three; a folder with one such file and no config.json stands for the file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError, nearest
from search_spaces.expansion.resolve_language import LanguageFacts
from search_spaces.spec import LanguageSpec
from trainables.model.weights import find_weights, local_weights

_WHOLE = ("model.safetensors", "pytorch_model.bin")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json")
_WIDTHS = ("hidden_size", "n_embd", "d_model")
"""Names of the width in the configurations of transformers."""


def language_facts(origin: str, data_root: Path) -> LanguageFacts | None:
    """Read family and width of a checkpoint on this machine; None if it is not there. Nothing is fetched."""
    path = local_weights(origin, data_root)
    return None if path is None else _facts(path)


def gguf_file(path: Path) -> Path | None:
    """Return the GGUF file that a path is or stands for; None for a folder in the hub's form.

    Raises InputError for a folder of several GGUF files.
    """
    if path.is_file():
        return path
    if (path / "config.json").exists():
        return None
    files = sorted(path.glob("*.gguf"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise InputError(
            f"one GGUF file must be named, but there are {names}", place=str(path), way_out=f"path:.../{files[0].name}"
        )
    return files[0] if files else None


def check_language(
    language: LanguageSpec, data_root: Path, *, template: bool = False, targets: Collection[str] = ()
) -> None:
    """Check that a checkpoint is complete and is what the specification says.

    Args:
        language: specification of a model with a checkpoint.
        data_root: folder that ``path:`` origins and local copies of ``hub:`` origins are relative to.
        template: whether the tokenizer's own chat template is needed.
        targets: names of layers that are to get adapters.

    Raises:
        InputError: files are absent, or family, width, template or layers are not as specified.
    """
    assert language.checkpoint is not None
    path = find_weights(language.checkpoint, data_root)
    gguf = gguf_file(path)
    if gguf is None:
        _check_whole(language, path)
    facts = _facts(path)
    for name, own in facts._asdict().items():
        if getattr(language, name) != own:
            raise InputError(
                f"language.{name} of {language.name} must be {own}, as the checkpoint has it, but got"
                f" {getattr(language, name)}",
                place=str(path),
            )
    if template and not _has_template(path, gguf):
        raise InputError(
            f"the prompt style `template` needs a chat template, but the tokenizer of {language.checkpoint} has none",
            place=str(path),
            way_out="Name one of the other styles as `language.prompt`.",
        )
    names = _tensor_names(path) if targets and gguf is None else None
    if names is not None:
        check_targets(targets, (name.rpartition(".")[0] for name in names), str(path))


def check_targets(targets: Collection[str], modules: Iterable[str], place: str) -> None:
    """Check that each target is the last part, or parts, of the name of a module.

    Args:
        targets: names of layers, such as `q_proj`.
        modules: full names of the model's modules.
        place: file, folder or class that has them, for the error.

    Raises:
        InputError: no module's name ends with a target.
    """
    known = list(modules)
    for target in sorted(targets):
        if not any(f".{name}".endswith(f".{target}") for name in known):
            legal = sorted({name.rpartition(".")[2] for name in known} - {""})
            raise InputError(
                f"recipe.*.lora.targets must name layers of the language model, but got {target!r}",
                place=place,
                way_out=nearest(target, legal) or f"It has {', '.join(legal)}.",
            )


def _check_whole(language: LanguageSpec, folder: Path) -> None:
    lacks = []
    if not (folder / "config.json").exists():
        lacks.append("config.json")
    index = next((folder / name for name in _INDEXES if (folder / name).exists()), None)
    if index is not None:
        shards = sorted(set(_json(index)["weight_map"].values()))
        absent = [shard for shard in shards if not (folder / shard).exists()]
        lacks += [f"{len(absent)} of {len(shards)} shards ({absent[0]} first)"] if absent else []
    elif not any((folder / name).exists() for name in _WHOLE):
        lacks.append("weights (model.safetensors, or shards with model.safetensors.index.json)")
    if language.tokenizer.kind == "checkpoint" and not any((folder / name).exists() for name in _TOKENIZERS):
        lacks.append("a tokenizer (tokenizer.json, or tokenizer.model)")
    if lacks:
        raise InputError(
            f"a copy of a language model must be whole, but that of {language.checkpoint!r} lacks {'; '.join(lacks)}",
            place=str(folder),
            way_out="Copy the missing files of the repository into this folder.",
        )


def _facts(path: Path) -> LanguageFacts:
    gguf = gguf_file(path)
    if gguf is not None:
        return _gguf_facts(gguf)
    file = path / "config.json"
    if not file.exists():
        raise InputError("a language model's folder must hold config.json, but it does not", place=str(path))
    config = _json(file)
    text = {**config, **config.get("text_config", {})}
    width = next((text[name] for name in _WIDTHS if name in text), None)
    if "model_type" not in config or not isinstance(width, int):
        raise InputError(f"config.json must say model_type and one of {', '.join(_WIDTHS)}", place=str(file))
    return LanguageFacts(config["model_type"], width)


def _gguf_facts(file: Path) -> LanguageFacts:
    fields = _gguf_fields(file, file.stat().st_mtime_ns)
    family = fields["general.architecture"]
    return LanguageFacts(family, int(fields[f"{family}.embedding_length"]))


@lru_cache(maxsize=8)
def _gguf_fields(file: Path, mtime_ns: int) -> dict[str, Any]:
    """Read the scalar fields of a GGUF file; `mtime_ns` keeps the cache from answering for a changed file."""
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError:
        raise InputError(
            "reading a GGUF file needs the package gguf", place=str(file), way_out="pip install 'ablate-vlm[gguf]'"
        ) from None
    try:
        reader = GGUFReader(file)
    except ValueError as error:
        raise InputError(f"must be a GGUF file, but: {error}", place=str(file)) from error
    return {name: field.contents() for name, field in reader.fields.items() if len(field.types) == 1}


def _has_template(path: Path, gguf: Path | None) -> bool:
    if gguf is not None:
        return "tokenizer.chat_template" in _gguf_fields(gguf, gguf.stat().st_mtime_ns)
    if any((path / name).exists() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    config = path / "tokenizer_config.json"
    return config.exists() and bool(_json(config).get("chat_template"))


def _tensor_names(folder: Path) -> list[str] | None:
    """List the names of all weights; None where they cannot be read without torch."""
    from safetensors import safe_open

    index = next((folder / name for name in _INDEXES if (folder / name).exists()), None)
    if index is not None:
        return list(_json(index)["weight_map"])
    if not (folder / "model.safetensors").exists():
        return None
    with safe_open(folder / "model.safetensors", framework="numpy") as file:
        return list(file.keys())


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"must be JSON, but: {error}", place=str(file)) from error
    if not isinstance(value, dict):
        raise InputError("must be a JSON object", place=str(file))
    return value
