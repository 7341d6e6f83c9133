"""Read and check the files of a language model: its folder or its GGUF file. Only `check_language` loads torch.

A folder is one in the hub's form: config.json, model.safetensors (or shards with an index, or pytorch_model.bin), and
the tokenizer's files. A GGUF file holds all three; a folder with one such file and no config.json stands for the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError, Problems, nearest
from search_spaces.expansion.resolve_language import LanguageFacts
from search_spaces.sizes import EMBEDDING_MULTIPLE, LanguageShape, sized_family
from search_spaces.spec import LanguageSpec
from trainables.model.checkpoint_files import INDEXES, WHOLE, checkpoint_tensors, refuse_adapters, weight_file_list
from trainables.model.gguf_files import gguf_file, gguf_header
from trainables.model.tensor_files import check_content, read_json_object
from trainables.model.weights import find_weights, local_weights

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json")
_OF_TOKENIZER = (*_TOKENIZERS, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")
_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_WIDTHS = ("hidden_size", "n_embd", "d_model")
"""Names of the width in the configurations of transformers."""
_OTHER_FORMS = ("attention_bias", "mlp_bias", "qk_layernorm")
"""Settings of the families with known sizes that give a model further parameters."""


def language_facts(origin: str, data_root: Path) -> LanguageFacts | None:
    """Read family and width of a checkpoint on this machine; None if it is not there. Nothing is fetched."""
    path = local_weights(origin, data_root)
    return None if path is None else _facts(path)


def check_language(
    language: LanguageSpec, data_root: Path, *, template: bool = False, targets: Collection[str] = ()
) -> None:
    """Check that a checkpoint is whole, is a causal language model, and is what the specification says.

    Names, types and shapes of all tensors are compared with the model that its configuration describes, its tokenizer
    is loaded and tried; its weights are read, but not into a model.

    Args:
        language: specification of a model with a checkpoint.
        data_root: folder that ``path:`` origins and local copies of ``hub:`` origins are relative to.
        template: whether the tokenizer's own chat template is needed.
        targets: names of layers that are to get adapters.

    Raises:
        InputError: everything that is missing, damaged, or not as specified.
    """
    from trainables.model.check_loaded import check_folder, check_gguf, check_tokenizer

    assert language.checkpoint is not None
    path, problems = find_weights(language.checkpoint, data_root), Problems()
    gguf = gguf_file(path)
    if gguf is None:
        _check_present(language, path)
        with problems.collected():
            check_folder(language, path)
    else:
        with problems.collected():
            check_gguf(gguf)
    with problems.collected():
        _check_facts(language, path)
    if template and not _has_template(path, gguf):
        problems.add(_no_template(language, path))
    elif not len(problems):
        with problems.collected():
            check_tokenizer(language, path, template=template)
    if targets and gguf is None and not len(problems):
        names = checkpoint_tensors(path)
        check_targets(targets, (name.rpartition(".")[0] for name in names), str(path))
    problems.raise_all()


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


def _check_present(language: LanguageSpec, folder: Path) -> None:
    """Check that a folder has all files, and that those that are read before any tensor are what they should be."""
    refuse_adapters(folder)
    lacks = [] if (folder / "config.json").exists() else ["config.json"]
    if not any((folder / name).exists() for name in (*WHOLE, *INDEXES)):
        lacks.append("weights (model.safetensors, or shards with model.safetensors.index.json)")
    if language.tokenizer.kind == "checkpoint" and not any((folder / name).exists() for name in _TOKENIZERS):
        lacks.append("a tokenizer (tokenizer.json, or tokenizer.model)")
    if lacks:
        raise InputError(
            f"the copy of a language model must be complete, but {language.checkpoint!r} lacks {'; '.join(lacks)}",
            place=str(folder),
            way_out="Copy the missing files of the repository into this folder.",
        )
    problems = Problems()
    files = [folder / name for name in ("config.json", "generation_config.json", *_OF_TOKENIZER, *_TEMPLATES)]
    for file in filter(Path.exists, files):
        with problems.collected():
            read_json_object(file) if file.suffix == ".json" else check_content(file)
    for file in weight_file_list(folder):
        with problems.collected():
            check_content(file)
    problems.raise_all()


def _check_facts(language: LanguageSpec, path: Path) -> None:
    """Raise InputError unless family and width are what a study says of them."""
    for name, own in zip(("family", "width"), _facts(path)[:2], strict=True):
        if getattr(language, name) != own:
            raise InputError(
                f"language.{name} of {language.name} must be {own}, as the checkpoint has it, but got"
                f" {getattr(language, name)}",
                place=str(path),
            )


def _no_template(language: LanguageSpec, path: Path) -> InputError:
    return InputError(
        f"the prompt style `template` needs a chat template, but the tokenizer of {language.checkpoint} has none",
        place=str(path),
        way_out="Name one of the other styles as `language.prompt`.",
    )


def _facts(path: Path) -> LanguageFacts:
    gguf = gguf_file(path)
    if gguf is not None:
        header = gguf_header(gguf)
        return LanguageFacts(header.family, int(header.fields[f"{header.family}.embedding_length"]))
    file = path / "config.json"
    if not file.exists():
        raise InputError("a language model's folder must hold config.json, but it does not", place=str(path))
    config = read_json_object(file)
    inner = config.get("text_config")
    text = {**config, **(inner if isinstance(inner, dict) else {})}
    width = next((text[name] for name in _WIDTHS if name in text), None)
    family = text.get("model_type")
    if not isinstance(family, str) or not isinstance(width, int):
        raise InputError(f"config.json must say model_type and one of {', '.join(_WIDTHS)}", place=str(file))
    return LanguageFacts(family, width, _shape(path, family, width, text))


def _shape(folder: Path, family: str, width: int, config: dict[str, Any]) -> LanguageShape | None:
    """Return what the size of a model follows from; None for a family, or a form of it, that is not known here."""
    from trainables.model.tokenizer import PADDED  # NumPy, which a study without such a checkpoint does not need

    heads, tokenizer = config.get("num_attention_heads"), folder / "tokenizer_config.json"
    if sized_family(family) is None or not isinstance(heads, int) or heads < 1 or any(map(config.get, _OTHER_FORMS)):
        return None
    if config.get("head_dim") not in (None, width // heads):
        return None
    pads = family in PADDED and not (tokenizer.exists() and read_json_object(tokenizer).get("pad_token"))
    try:
        rows = int(config["vocab_size"])
        return LanguageShape(
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            mlp=config["intermediate_size"],
            vocabulary=rows if pads else -(-rows // EMBEDDING_MULTIPLE) * EMBEDDING_MULTIPLE,
            tied=config.get("tie_word_embeddings", False),
            padded=pads,
        )
    except (KeyError, TypeError, ValueError):  # preflight says what is wrong with it
        return None


def _has_template(path: Path, gguf: Path | None) -> bool:
    if gguf is not None:
        return "tokenizer.chat_template" in gguf_header(gguf).fields
    if any((path / name).exists() for name in _TEMPLATES):
        return True
    config = path / "tokenizer_config.json"
    return config.exists() and bool(read_json_object(config).get("chat_template"))
