"""Export a trial as a folder that transformers loads: weights, configuration, processor, model card."""

from __future__ import annotations

import json
import shutil
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal, assert_never

import jinja2
from transformers import PreTrainedTokenizerFast

from search_spaces.errors import InputError
from trainables.evaluation.evaluate import load_whole
from trainables.evaluation.respondent import precision
from trainables.evaluation.results import read_results
from trainables.export.card_questions import CardQuestion, card_questions, usage_question
from trainables.export.llava import IMAGE_TOKEN, to_llava
from trainables.export.own import write_own
from trainables.export.processor import chat_template, llava_processor, prepend_bos
from trainables.export.read_back import (
    Written,
    check_written,
    model_settings,
    processor_settings,
    saved_tensors,
    tokenizer_settings,
)
from trainables.export.tokenizer import hf_tokenizer
from trainables.model.seeding import seeded
from trainables.model.vlm import VLM
from trainables.storage import layout
from trainables.storage.flush import flush_entry, flush_tree
from trainables.storage.lost_stages import lost_stages
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import Store
from trainables.task import TrialTask
from trainables.trial_data import TrialData

Form = Literal["hf", "hf-own-code", "hf-language"]
"""Forms of an export: LLaVA's classes; any model with its own model code; the language model alone."""

_CHECK = """\
lacking = {{kind: sorted(map(str, names)) for kind, names in found.items() if names}}
if lacking:  # transformers draws weights that a folder lacks at random, and only warns
    raise ValueError(f"not every weight came from {{folder}}: {{lacking}}")
"""
"""What code that loads by transformers' own classes does with its `output_loading_info`."""

_LLAVA_USAGE = (
    """\
from PIL import Image, ImageOps
from transformers import AutoImageProcessor, AutoProcessor, LlavaForConditionalGeneration

folder, question = "{name}", {question}
model, found = LlavaForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
"""
    + _CHECK
    + """\
processor = AutoProcessor.from_pretrained(folder)
processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")  # the pixels that were scored
said = [{{"role": "user", "content": [{{"type": "image"}}, {{"type": "text", "text": question}}]}}]
text = processor.apply_chat_template(said)
# LLaVA's processor wants RGB of 8 bits, upright: put a transparent picture on white first, scale one of 16 bits.
picture = ImageOps.exif_transpose(Image.open("picture.jpg")).convert("RGB")
inputs = processor(images=picture, text=text, return_tensors="pt")
answer = model.generate(**inputs, max_new_tokens={tokens})[0, inputs["input_ids"].shape[1]:]
print(processor.decode(answer, skip_special_tokens=True).strip())"""
)

_OWN_USAGE = """\
from PIL import Image
from transformers import AutoModel, AutoProcessor

model = AutoModel.from_pretrained("{name}", trust_remote_code=True)
processor = AutoProcessor.from_pretrained("{name}", trust_remote_code=True)
question = {question}
said = [{{"role": "user", "content": [{{"type": "image"}}, {{"type": "text", "text": question}}]}}]
text = processor.apply_chat_template(said)
inputs = processor(images=Image.open("picture.jpg"), text=text, return_tensors="pt")
answer = model.generate(**inputs, max_new_tokens={tokens})[0]
print(processor.decode(answer, skip_special_tokens=True).strip())"""

_LANGUAGE_USAGE = (
    """\
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "{name}"
model, found = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
"""
    + _CHECK
    + """\
tokenizer = AutoTokenizer.from_pretrained(folder)"""
)


_USAGE: dict[Form, str] = {"hf": _LLAVA_USAGE, "hf-own-code": _OWN_USAGE, "hf-language": _LANGUAGE_USAGE}


def export_trial(task: TrialTask, store: Store, form: Form, folder: Path) -> None:
    """Write a finished trial to `folder`, which must not be there yet.

    It is written aside, read back and compared with what it was to be, and renamed when it is whole.

    Args:
        task: the trial.
        store: storage that holds its results.
        form: form of the export.
        folder: folder that is made.

    Raises:
        InputError: the trial is not finished or diverged, the folder is there or being written, the model has no such
            form, or what was written is not what is read back.
    """
    if folder.exists():
        raise InputError(f"the folder must not be there yet, but {folder} is", key="--output")
    results = finished_stages(task, store)
    data = TrialData(task, store)
    model = load_whole(task, results, data, store)
    aside = _made_aside(folder)
    try:
        written = _write(model, task, data, form, aside)
        card = _card(task, results, store, data, form, folder.name)
        (aside / "README.md").write_text(card, encoding="utf-8")
        check_written(aside, written.with_text("README.md", card))
        flush_tree(aside)
        aside.rename(folder)
        flush_entry(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _made_aside(folder: Path) -> Path:
    """Make the folder that is written to until it is whole. Raises InputError if another export has it."""
    aside = folder.parent / f".{folder.name}.aside"
    try:
        aside.mkdir(parents=True)
    except FileExistsError:
        law = f"one export at a time must write a folder, but {aside} is there"
        way_out = "Another export is writing it, or was killed: then remove it."
        raise InputError(law, key="--output", way_out=way_out) from None
    return aside


def _write(model: VLM, task: TrialTask, data: TrialData, form: Form, folder: Path) -> Written:
    tokenizer = hf_tokenizer(task.trial.language, data.tokenizer, data.root)
    if form == "hf-language":
        return _write_language(model, tokenizer, folder)
    template = chat_template(task.trial.language.prompt, data.tokenizer)
    ends = data.tokenizer.answer_end_ids(task.trial.language.prompt)
    image_token, unused = _with_image_token(model, tokenizer, task.trial.draws.init)
    generation = _generation(tokenizer, unused, ends)
    match form:
        case "hf":
            return _write_llava(model, task, tokenizer, template, image_token, generation, folder)
        case "hf-own-code":
            return write_own(model, task.trial, tokenizer, template, image_token, generation, folder)
        case _:
            assert_never(form)


def _card(task: TrialTask, results: list[StageResult], store: Store, data: TrialData, form: Form, name: str) -> str:
    questions = card_questions(task, data, store)
    asked = usage_question(questions)
    usage = _USAGE[form].format(name=name, question=json.dumps(asked.prompt), tokens=asked.max_new_tokens)
    prompt_form = data.tokenizer.question_form(task.trial.language.prompt)
    return model_card(task, results, store, form, usage, questions, prompt_form)


def finished_stages(task: TrialTask, store: Store) -> list[StageResult]:
    """Read the results of all stages.

    Raises:
        InputError: one is missing, its loss diverged, or weights of the trained model are damaged.
    """
    lost = lost_stages(store, [order.key for order in task.stages], "content", is_scored=False)
    for index, damages in lost.items():
        for damage in damages:
            stage_name = task.trial.stages[index].name
            raise damage.error(f"Run `ablate run` on the study with --restore-weights: {stage_name} is trained again.")
    results = []
    for stage, order in zip(task.trial.stages, task.stages, strict=True):
        result = read(store, layout.stage_result(order.key), StageResult)
        if result is None or result.diverged:
            state = "has not been trained to its end" if result is None else "diverged"
            law = f"a trial must be finished to be exported, but its stage {stage.name!r} {state}"
            raise InputError(law, key=task.id, way_out="Run the study again: what is left of it is done.")
        results.append(result)
    return results


def _write_llava(
    model: VLM,
    task: TrialTask,
    tokenizer: PreTrainedTokenizerFast,
    template: str,
    image_token: int,
    generation: dict[str, Any],
    folder: Path,
) -> Written:
    llava = to_llava(model, task.trial, image_token)
    llava.generation_config.update(**generation)
    has_class_token = llava.config.vision_feature_select_strategy == "default"
    processor = llava_processor(task.trial.vision, template, tokenizer, has_class_token=has_class_token)
    tensors = saved_tensors(llava)
    llava.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Written(tensors, (*model_settings(llava), *processor_settings(processor)))


def _with_image_token(model: VLM, tokenizer: PreTrainedTokenizerFast, seed: int) -> tuple[int, list[int]]:
    """Add the image placeholder to tokenizer and embeddings; return its id and all ids that stand for no text."""
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    image_token = int(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
    language: Any = model.language
    if image_token >= language.get_input_embeddings().num_embeddings:
        with seeded("image token", seed):
            language.resize_token_embeddings(image_token + 1, mean_resizing=False)
    return image_token, list(range(image_token, language.get_input_embeddings().num_embeddings))


def _generation(tokenizer: PreTrainedTokenizerFast, unused: list[int], ends: list[int]) -> dict[str, Any]:
    """Collect settings of generation: it ends where answers end in training, if that is one token, as in evaluation."""
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    if len(ends) == 1 and ends[0] != special["eos_token_id"]:
        special["eos_token_id"] = [special["eos_token_id"], *ends]
    return {**special, "suppress_tokens": unused}


def _write_language(model: VLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Written:
    prepend_bos(tokenizer)
    language: Any = model.language
    language.config.use_cache = True
    tensors = saved_tensors(language)
    language.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Written(tensors, (*model_settings(language), *tokenizer_settings(tokenizer)))


def model_card(
    task: TrialTask,
    results: list[StageResult],
    store: Store,
    form: Form,
    usage: str,
    questions: list[CardQuestion],
    prompt_form: str,
) -> str:
    """Write the model card in Markdown: what the model is, what it was trained on and how it scored.

    Args:
        task: the trial.
        results: results of its stages, in order.
        store: storage that holds its scores.
        form: form of the export; the language model alone has no scores.
        usage: example code that loads the folder.
        questions: how its benchmarks were asked.
        prompt_form: what it read around a prompt (`Tokenizer.question_form`).
    """
    spec = task.trial
    scores = [score for _, score in sorted(read_results(task, results, store).items())] if form != "hf-language" else []
    template = resources.files("trainables.export").joinpath("card.md.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)
    return environment.from_string(template).render(
        arm=task.arm,
        seed=spec.seed,
        study=task.study,
        trial=task.id,
        version=metadata.version("ablate-vlm"),
        pipeline="text-generation" if form == "hf-language" else "image-text-to-text",
        vision=spec.vision,
        projector=spec.projector,
        language=spec.language,
        precision=str(precision(spec)).removeprefix("torch."),
        stages=[{"spec": stage, "result": result} for stage, result in zip(spec.stages, results, strict=True)],
        scores=scores,
        digests=dict(sorted(task.digests.items())),
        provenance=results[-1].provenance,
        usage=usage,
        questions=questions if form != "hf-language" else [],
        prompt_form=prompt_form,
    )
