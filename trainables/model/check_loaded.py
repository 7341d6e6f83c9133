"""Check a language model's checkpoint by what the libraries that load it make of it: its tensors, its tokenizer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import transformers

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec
from trainables.model.checkpoint_files import check_types, checkpoint_tensors
from trainables.model.gguf_files import gguf_header
from trainables.model.language_config import causal_config, check_family, inner_config
from trainables.model.language_fit import check_tensors, model_on_meta, prefixes
from trainables.model.language_weights import check_numbers, check_tied
from trainables.model.tensor_files import Headers, read_json_object
from trainables.model.tokenizer import PADDED, checkpoint_tokenizer, pretrained_tokenizer

_SAMPLE = "What color is the shape? red, blue or 12"


def check_folder(language: LanguageSpec, folder: Path) -> None:
    """Check configuration and weights of a folder in the hub's form, without loading the model.

    Raises:
        InputError: it is no causal language model, or its weights are not exactly that model's.
    """
    headers, prefix = checkpoint_tensors(folder), language.weights_prefix
    check_types(headers, str(folder))
    _refuse_undeclared_part(folder, headers, prefix)
    config = causal_config(folder, prefix)
    check_tensors(config, headers, prefix, str(folder))
    check_numbers(folder)
    check_tied(config, folder, prefix)


def _refuse_undeclared_part(folder: Path, headers: Headers, prefix: str) -> None:
    """Raise InputError for a model that has a language model as a part, unless the study says under which names."""
    inner = inner_config(read_json_object(folder / "config.json"))
    if prefix or inner is None:
        return
    file = folder / "config.json"
    check_family(str(inner["model_type"]), file)
    config = transformers.AutoConfig.for_model(**inner)
    found = prefixes(headers, model_on_meta(config, str(file)))
    where = f"write `weights_prefix: '{found[0]}'` beside `model`." if found else "export that part alone."
    law = f"must be a language model, but its architecture has one as a part ({inner['model_type']})"
    raise InputError(law, place=str(file), way_out=f"To take that part: {where}")


def check_gguf(file: Path) -> None:
    """Check that a GGUF file has all tensors of the causal language model that its header describes.

    Raises:
        InputError: its architecture is unknown, or tensors are missing.
    """
    header, place = gguf_header(file), str(file)
    try:
        config = transformers.AutoConfig.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    except Exception as error:  # of transformers' reader: any of Python's own
        law = f"must be a GGUF file that transformers {transformers.__version__} reads, but: {_one_line(error)}"
        raise InputError(law, place=place) from error
    check_family(config.model_type, file)
    model = model_on_meta(config, place)
    wanted = _gguf_names(model, place)
    sizes = {name: math.prod(tensor.shape) for name, tensor in model.state_dict().items()}
    missing = sorted(name for name in wanted if name not in header.sizes and name != "output.weight")
    if missing:
        law = (
            f"a GGUF file must have all tensors of its model, but {len(missing)} are missing ({', '.join(missing[:3])})"
        )
        raise InputError(law, place=place)
    odd = sorted(
        name
        for name, own in wanted.items()
        if header.sizes.get(name, sizes.get(own)) != sizes.get(own, header.sizes.get(name))
    )
    extra = sorted(header.sizes.keys() - wanted.keys() - {"rope_freqs.weight"})
    if odd or extra:
        first = odd[0] if odd else extra[0]
        law = f"the tensors of a GGUF file must be those that its header describes, but {first} is not"
        raise InputError(law, place=place)
    if header.tokens > model.get_input_embeddings().num_embeddings:
        raise _too_many(header.tokens, model.get_input_embeddings().num_embeddings, place)


def _gguf_names(model: Any, place: str) -> dict[str, str]:
    """Map the names of a model's tensors in GGUF to those in transformers."""
    from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

    try:
        return dict(get_gguf_hf_weights_map(model, TensorProcessor()))
    except NotImplementedError as error:
        raise InputError(
            f"must be of an architecture with names in GGUF, but: {_one_line(error)}", place=place
        ) from error


def check_tokenizer(language: LanguageSpec, path: Path, *, template: bool) -> None:
    """Check that a checkpoint's tokenizer loads, reads text, ends answers, and has no tokens without an embedding.

    Args:
        language: specification of the model.
        path: folder or GGUF file of the checkpoint.
        template: whether its chat template is needed.

    Raises:
        InputError: it cannot be used with this model.
    """
    if language.tokenizer.kind != "checkpoint":
        return
    place = str(path)
    tokenizer = checkpoint_tokenizer(path, language.family, language.name)
    loaded = pretrained_tokenizer(path, language.family)
    ids = tokenizer.encode(_SAMPLE)
    if not ids or set(ids) == {loaded.unk_token_id} or not tokenizer.decode(ids).strip():
        raise InputError("a tokenizer must turn text into tokens, but this one knows none of its pieces", place=place)
    if path.is_dir() and (path / "config.json").exists():
        config = causal_config(path, language.weights_prefix)
        rows = model_on_meta(config, place).get_input_embeddings().num_embeddings
        added = 1 if language.family in PADDED else 0
        last = max(loaded.get_vocab().values())
        if last >= rows + added or (last >= rows and tokenizer.pad != last):
            raise _too_many(last + 1, rows, place)
    if template:
        _check_template(tokenizer)


def _too_many(tokens: int, rows: int, place: str) -> InputError:
    return InputError(
        f"every token must have a trained embedding, but the tokenizer has {tokens:,} and the weights have {rows:,}",
        place=place,
        way_out="Take tokenizer and weights of one model.",
    )


def _check_template(tokenizer: Any) -> None:
    """Render a conversation and a question. Raises InputError where the template cannot be trained or asked with."""
    question, answer = "Which color has the shape?", "dark blue"
    asked = tokenizer.question_segments("template", [], question)
    taught = tokenizer.segments("template", [(question, answer)])
    if not any(question in segment.text for segment in asked) or not any(question in each.text for each in taught):
        raise InputError(
            f"the chat template of {tokenizer.name} must render what is said, but leaves the question out",
            way_out="Name one of the other styles as `language.prompt`.",
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
