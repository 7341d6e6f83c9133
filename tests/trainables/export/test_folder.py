"""Claims about exported trials: what transformers loads from the folder gives the numbers that were scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    LlavaForConditionalGeneration,
    LlavaImageProcessorPil,
)

from search_spaces.errors import InputError
from search_spaces.spec import (
    BenchmarkSpec,
    MixPart,
    MixSpec,
    ProjectorSpec,
    SourceSpec,
    TokenizerSpec,
    VisionSpec,
)
from tests.support.damaged_folders import add, drop
from tests.support.exports import CLIP, SIGLIP, TINY, asked_by_the_card, exported, tiny_tower, trained
from tests.support.hub_languages import hub_language
from tests.support.own_sets import write_own_set
from tests.support.tiny_specs import language, source, stage, vision
from tests.support.tiny_trials import make_task, run
from trainables.evaluation.evaluate import load_whole
from trainables.evaluation.results import read_results
from trainables.export.folder import finished_stages
from trainables.model.images import pixels
from trainables.storage.store import LocalStore
from trainables.trial_data import TrialData


def _next_logits(model: Any, image_BCHW: torch.Tensor, ids: list[int], bos: int) -> torch.Tensor:
    """Compute the logits of the token after `[BOS] [image] [ids]`, 1 x vocabulary."""
    embed = model.language.get_input_embeddings()
    visual_VD = model.visual_tokens(model.vision(image_BCHW))[0]
    read = torch.cat([embed(torch.tensor([bos])), visual_VD, embed(torch.tensor(ids))])[None]
    logits: torch.Tensor = model.language(inputs_embeds=read).logits[:, -1]
    return logits


@pytest.mark.parametrize("resize", ["letterbox", "naive"])
@pytest.mark.parametrize(("arch", "tokenizer"), [(CLIP, "bytes"), (SIGLIP, "words")])
def test_exported_folder_answers_as_the_evaluated_model_does(
    tmp_path: Path, arch: str, tokenizer: Any, resize: Any
) -> None:
    vocabulary = source() if tokenizer == "words" else None
    task = trained(
        tmp_path,
        tiny_tower(arch, resize=resize),
        language_spec=language(
            tokenizer=TokenizerSpec(kind=tokenizer, source=vocabulary), prompt="vicuna-v15", max_length=512
        ),
    )
    folder = exported(task, tmp_path)
    llava = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(folder)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 70, 3), np.uint8))
    image_BCHW = torch.from_numpy(pixels(picture, task.trial.vision))[None]

    exact = LlavaImageProcessorPil.from_pretrained(folder)(picture, return_tensors="pt")["pixel_values"]
    assert torch.equal(exact, image_BCHW)

    conversation = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what color is the shape?"}]}
    ]
    text = processor.apply_chat_template(conversation)
    inputs = processor(images=picture, text=text, return_tensors="pt")
    store = LocalStore(tmp_path)
    data = TrialData(task, store)
    ids = data.tokenizer.encode_question("vicuna-v15", "what color is the shape?", 2048)
    assert inputs["input_ids"][0].tolist() == [data.tokenizer.bos, *[llava.config.image_token_index] * 16, *ids]

    ours: Any = load_whole(task, finished_stages(task, store), data, store)
    with torch.inference_mode():
        expected = _next_logits(ours, image_BCHW, ids, data.tokenizer.bos)
        inputs["pixel_values"] = exact
        logits = llava(**inputs).logits[:, -1]
    assert torch.allclose(logits[:, : expected.shape[1]], expected, atol=1e-5, rtol=0)
    answer = llava.generate(**inputs, max_new_tokens=4, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert answer[0] == expected[0].argmax()
    assert (answer < expected.shape[1]).all()


DINO = "vit_large_patch14_reg4_dinov2"
PAIR = tiny_tower(
    f"{CLIP}+{DINO}",
    family="fused",
    width=128,
    parts=(tiny_tower(CLIP, mean=(0.4, 0.5, 0.6)), tiny_tower(DINO, std=(0.2, 0.3, 0.4))),
)


@pytest.mark.parametrize(
    ("tower", "projector"),
    [
        (vision(tokens=1), ProjectorSpec(kind="linear")),
        (PAIR.model_copy(update={"resize": "letterbox"}), ProjectorSpec(kind="fused-gelu-mlp")),
    ],
)
def test_any_model_is_exported_with_its_own_code(tmp_path: Path, tower: VisionSpec, projector: ProjectorSpec) -> None:
    task = trained(tmp_path, tower, projector_spec=projector)
    folder = exported(task, tmp_path, "hf-own-code")
    loaded = AutoModel.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 71, 3), np.uint8))
    conversation = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what shape?"}]}]
    inputs = processor(images=picture, text=processor.apply_chat_template(conversation), return_tensors="pt")
    image_BCHW = torch.from_numpy(pixels(picture, task.trial.vision))[None]
    assert torch.equal(inputs["pixel_values"], image_BCHW)
    glass = Image.new("RGBA", (40, 71), (0, 0, 0, 0))
    glass.save(tmp_path / "glass.png")
    white_BCHW = torch.from_numpy(pixels(Image.new("RGB", (40, 71), "white"), task.trial.vision))[None]
    for given in (glass, str(tmp_path / "glass.png"), Image.open(tmp_path / "glass.png")):
        assert torch.equal(processor(images=given, text="<image>", return_tensors="pt")["pixel_values"], white_BCHW)

    store = LocalStore(tmp_path)
    data = TrialData(task, store)
    ours: Any = load_whole(task, finished_stages(task, store), data, store)
    ids = data.tokenizer.encode_question("bare", "what shape?", 2048)
    with torch.inference_mode():
        logits = loaded(**inputs).logits[:, -1]
        expected = _next_logits(ours, image_BCHW, ids, data.tokenizer.bos)
    assert torch.allclose(logits[:, : expected.shape[1]], expected, atol=1e-5, rtol=0)
    assert loaded.generate(**inputs, max_new_tokens=3, do_sample=False)[0, 0] == expected[0].argmax()


def test_language_model_alone_is_exported_from_any_trial(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=2),))
    run(task)
    folder = exported(task, tmp_path, "hf-language")
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    store = LocalStore(tmp_path)
    ours: Any = load_whole(task, finished_stages(task, store), TrialData(task, store), store).language
    ids_BT = torch.tensor([AutoTokenizer.from_pretrained(folder)("red circle")["input_ids"]])
    assert ids_BT[0, 0] == 1
    with torch.inference_mode():
        assert torch.equal(loaded(input_ids=ids_BT).logits, ours(input_ids=ids_BT).logits)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vision_spec": vision()}, "vision transformers only, but tiny is a convolutional encoder"),
        ({"vision_spec": tiny_tower("vit_large_patch14_reg4_dinov2")}, "CLIP and SigLIP towers, but tiny"),
        (
            {
                "vision_spec": tiny_tower(
                    CLIP, family="fused", width=2 * tiny_tower(CLIP).width, parts=(tiny_tower(CLIP),) * 2
                )
            },
            "LLaVA has one tower, but tiny has 2",
        ),
        (
            {"vision_spec": tiny_tower("vit_large_patch16_224", patch=14, options=TINY | {"patch_size": 14})},
            "CLIP and SigLIP",
        ),
        (
            {"vision_spec": tiny_tower(CLIP, tokens=4)},
            "all 16 visual tokens of the grid, but here",
        ),
    ],
)
def test_model_that_llava_has_no_room_for_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=1),), benchmarks=(), cached=False, **changes)
    run(task)
    with pytest.raises(InputError, match=reason):
        exported(task, tmp_path)
    assert not list(tmp_path.glob("*out*")), "nothing half-written is left"


@pytest.mark.parametrize("projector", [ProjectorSpec(kind="fused-gelu-mlp"), ProjectorSpec(kind="gelu-mlp", depth=3)])
def test_other_projectors_are_refused(projector: ProjectorSpec, tmp_path: Path) -> None:
    task = make_task(
        tmp_path,
        stages=(stage(max_steps=1),),
        benchmarks=(),
        cached=False,
        vision_spec=tiny_tower(CLIP),
        projector_spec=projector,
    )
    run(task)
    with pytest.raises(InputError, match="two layers"):
        exported(task, tmp_path)


def test_unfinished_trial_is_notexported(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    with pytest.raises(InputError, match="its stage 'finetune' has not been trained to its end"):
        exported(task, tmp_path)


def test_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="must not be there yet"):
        exported(make_task(tmp_path), tmp_path)


def test_model_with_weights_that_llava_has_no_place_for_is_refused_by_their_names(tmp_path: Path) -> None:
    task = trained(tmp_path, tiny_tower(CLIP), language_spec=hub_language(tmp_path, "phi"))
    with pytest.raises(InputError, match=r"1 have no place in them \(lm_head\.bias first\)\n`--to hf-own-code`"):
        exported(task, tmp_path)
    assert not list(tmp_path.glob("*out*"))


def test_folder_that_another_export_writes_is_left_alone(tmp_path: Path) -> None:
    task = trained(tmp_path, tiny_tower(CLIP))
    (tmp_path / ".out.aside").mkdir()
    with pytest.raises(InputError, match=r"--output: one export at a time .*\.out\.aside is there"):
        exported(task, tmp_path)
    assert (tmp_path / ".out.aside").exists()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("hf", "language_model.model.layers.1.mlp.up_proj.weight"),
        ("hf", "vision_tower.encoder.layers.0.mlp.fc1.bias"),
        ("hf-language", "model.layers.1.mlp.up_proj.weight"),
    ],
)
def test_the_cards_code_stops_unless_every_weight_is_the_folders(form: Any, name: str, tmp_path: Path) -> None:
    folder = exported(trained(tmp_path, tiny_tower(CLIP)), tmp_path, form)
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    asked_by_the_card(folder, tmp_path / "red.png")
    for damage in (add, drop):
        damage(folder, name)
        with pytest.raises(ValueError, match=f"not every weight came from .*{'extra' if damage is add else 'missing'}"):
            asked_by_the_card(folder, tmp_path / "red.png")


def test_model_card_names_recipe_digests_and_scores(tmp_path: Path) -> None:
    task = make_task(tmp_path, stages=(stage(max_steps=2),), vision_spec=tiny_tower(CLIP), cached=False)
    run(task)
    card = (exported(task, tmp_path) / "README.md").read_text()
    assert "2 steps of 8 records, adamw at 0.003 (cosine)" in card
    assert "| shapes | official | " in card
    for name, digest in task.digests.items():
        assert f"| `{name}` | `{digest}` |" in card


@pytest.mark.parametrize(
    ("form", "tower", "protocol"),
    [("hf", tiny_tower(CLIP, resize="naive"), "official"), ("hf-own-code", vision(), "plain")],
)
def test_an_exported_model_that_is_asked_in_the_cards_words_answers_as_it_was_scored(
    tmp_path: Path, form: Any, tower: VisionSpec, protocol: str
) -> None:
    write_own_set(tmp_path, 12)
    train = SourceSpec(name="ours", version="1", reader="llava", path="train.json", image_folder="images")
    test = train.model_copy(
        update={"name": "test", "reader": "questions", "path": "test.jsonl", "options": {"benchmark": "exact"}}
    )
    mix = MixSpec(name="ours", parts=(MixPart(source=train),))
    task = make_task(
        tmp_path,
        stages=(stage(max_steps=60, data=mix, trains=("vision", "projector", "language")),),
        vision_spec=tower,
        language_spec=language(tokenizer=TokenizerSpec(kind="words", sources=(train,)), prompt="vicuna-v15"),
        benchmarks=(BenchmarkSpec(id="ours", source=test, protocol=protocol),),
        cached=False,
    )
    run(task)
    results = read_results(task, finished_stages(task, LocalStore(tmp_path)), LocalStore(tmp_path))
    table = pq.read_table(tmp_path / results["ours"].examples)
    rows = table.to_pylist()
    assert {row["prediction"] for row in rows} - {""}
    folder = exported(task, tmp_path, form)
    card = (folder / "README.md").read_text()
    assert f"```text\n{rows[0]['prompt']}\n```" in card
    assert table.schema.metadata[b"prompt form"].decode().endswith("USER: {prompt} ASSISTANT:")
    assert table.schema.metadata[b"prompt form"].decode() in card
    for row in rows:
        instead = (json.dumps(rows[0]["prompt"]), json.dumps(row["prompt"]))
        answer = asked_by_the_card(folder, tmp_path / "images" / row["cluster"], instead)
        assert (row["id"], answer) == (row["id"], row["prediction"].strip())
