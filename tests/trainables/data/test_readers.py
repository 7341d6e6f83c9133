from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec, SourceSpec
from tests.support.official_files.vqav2 import write_vqav2
from trainables.benchmarks.files.reference_files import find_files
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.data.readers import READERS, open_reader
from trainables.data.record import TEXT_ONLY
from trainables.evaluation.asked import open_examples
from trainables.storage.store import LocalStore


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(buffer, "PNG")
    return buffer.getvalue()


CONVERSATION = [{"from": "human", "value": "<image>\nwhat is it?"}, {"from": "gpt", "value": " red "}]


def make_source(reader: str, folder: Path) -> SourceSpec:
    """A source of each kind with at least one image record."""
    fields: dict[str, object] = {"name": reader, "version": "1", "reader": reader}
    if reader == "easy-vqa":
        fields["options"] = {"split": "test", "images": 2}
    if reader == "llava":
        (folder / "images").mkdir()
        (folder / "images" / "a.png").write_bytes(_png())
        rows = [
            {"id": "a", "image": "a.png", "conversations": CONVERSATION},
            {"id": "b", "conversations": CONVERSATION},
        ]
        (folder / "chat.json").write_text(json.dumps(rows))
        fields |= {"path": "chat.json", "image_folder": "images"}
    if reader == "lrv":
        for image in ("lrv-vg/7.jpg", "lrv-chart/c/8.png"):
            (folder / image).parent.mkdir(parents=True)
            (folder / image).write_bytes(_png())
        asked = {"question": "what is it?", "answer": "red"}
        for name, images in (("filter_cap1", ["7"]), ("filter_cap_more1", []), ("chart_release_update", ["c/8.png"])):
            (folder / f"{name}.json").write_text(json.dumps([{"image_id": image, **asked} for image in images]))
        fields["path"] = "."
    if reader == "parquet":
        conversations = [CONVERSATION, CONVERSATION]
        table = pa.table({"id": ["a", "b"], "image": [_png(), None], "conversations": conversations})
        pq.write_table(table, folder / "data.parquet")
        fields["path"] = "data.parquet"
    if reader in ("official", "questions"):
        write_evaluation_set(reader, folder)
        fields |= {"path": "set", "options": {"benchmark": "vqav2" if reader == "official" else "yes-no"}}
    return SourceSpec(**fields)  # type: ignore[arg-type]


def write_evaluation_set(reader: str, folder: Path) -> None:
    """Three questions about two images, in the files of VQAv2 or of the family yes-no."""
    images = [f"COCO_val2014_{number:012d}.jpg" for number in range(2)]
    (folder / "set" / "images").mkdir(parents=True)
    for image in images:
        (folder / "set" / "images" / image).write_bytes(_png())
    if reader == "official":
        write_vqav2(folder / "set")
    else:
        rows = [
            {"id": n, "image": images[n // 2], "question": f"is it {n}?", "answer": "yes", "groups": {"split": "a"}}
            for n in range(3)
        ]
        (folder / "set" / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))


@pytest.mark.parametrize("name", READERS)
def test_reader_contract_records_have_unique_ids_images_open_and_the_signature_is_stable(
    name: str, tmp_path: Path
) -> None:
    source = make_source(name, tmp_path)
    reader = open_reader(source, tmp_path)
    records = list(reader.records())
    assert records == list(open_reader(source, tmp_path).records())
    assert len({record.id for record in records}) == len(records) > 0
    for record in records:
        assert (record.image is None) == (TEXT_ONLY in record.tags)
        assert all(question and answer and "<image>" not in question for question, answer in record.turns)
        if record.image is not None:
            assert Image.open(io.BytesIO(reader.image(record.image))).size
    assert reader.signature() == open_reader(source, tmp_path).signature()


@pytest.mark.parametrize("name", ["official", "questions"])
def test_an_evaluation_source_is_prepared_with_its_examples(name: str, tmp_path: Path) -> None:
    source = make_source(name, tmp_path)
    store = LocalStore(tmp_path / "store")
    digest, counts = prepare_source(source, store, tmp_path)
    assert (counts["records"], counts["images"]) == (3, 2)
    prepared = PreparedSource(store, digest)
    asked = open_examples(BenchmarkSpec(id="mine", source=source), prepared)
    files = find_files("x", (), [tmp_path / "set"])
    assert list(asked.examples) == asked.benchmark.examples(files)
    assert [prepared.image_key(row) for row in asked.image_rows] == [example.image for example in asked.examples]
    sampled = open_examples(BenchmarkSpec(id="mine", source=source, sample=2), prepared)
    assert len(sampled.examples) == len(sampled.image_rows) == 2
    tag = next(iter(open_reader(source, tmp_path).records())).tags[0]
    chosen = open_examples(BenchmarkSpec(id="mine", source=source, select=tag), prepared)
    assert 0 < len(chosen.examples) <= 3
    with pytest.raises(InputError, match=r"none of .* has the tag"):
        open_examples(BenchmarkSpec(id="mine", source=source, select="no=such"), prepared)


def test_an_evaluation_source_must_say_what_its_files_are(tmp_path: Path) -> None:
    write_evaluation_set("official", tmp_path)
    with pytest.raises(InputError, match="benchmark"):
        open_reader(SourceSpec(name="s", version="1", reader="official", path="set"), tmp_path)
    options = {"benchmark": "vqa2"}
    with pytest.raises(InputError, match="Did you mean 'vqav2'"):
        open_reader(SourceSpec(name="s", version="1", reader="official", path="set", options=options), tmp_path)


def test_llava_turns_are_stripped_and_lose_the_image_placeholder(tmp_path: Path) -> None:
    (first, second) = open_reader(make_source("llava", tmp_path), tmp_path).records()
    assert first.turns == (("what is it?", "red"),)
    assert second.tags == (TEXT_ONLY,)


def test_llava_with_turns_out_of_order_names_the_record(tmp_path: Path) -> None:
    rows = [{"id": "x", "conversations": [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]}]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    source = SourceSpec(name="s", version="1", reader="llava", path="chat.json")
    with pytest.raises(InputError, match=r"chat\.json\[0\].*alternate human, gpt"):
        list(open_reader(source, tmp_path).records())


def test_a_corrupt_parquet_file_is_an_input_error_naming_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 this is not parquet")
    source = SourceSpec(name="s", version="1", reader="parquet", path="bad.parquet")
    with pytest.raises(InputError, match=r"bad\.parquet"):
        list(open_reader(source, tmp_path).records())


def test_a_missing_file_says_where_it_was_looked_for_and_how_to_name_another_folder(tmp_path: Path) -> None:
    source = SourceSpec(name="s", version="1", reader="parquet", path="none.parquet")
    with pytest.raises(InputError, match=r"(?s)none\.parquet.*--data"):
        open_reader(source, tmp_path)


def test_an_unknown_reader_names_the_nearest(tmp_path: Path) -> None:
    source = SourceSpec(name="s", version="1", reader="parket")
    with pytest.raises(InputError, match="Did you mean 'parquet'"):
        open_reader(source, tmp_path)


def test_easy_vqa_tags_follow_the_wording_of_the_question(tmp_path: Path) -> None:
    for record in open_reader(make_source("easy-vqa", tmp_path), tmp_path).records():
        ((question, answer),) = record.turns
        negated = {"not", "no"} & set(question.rstrip("?").split())
        assert (record.tags[0] == "negated") == (bool(negated) and answer in ("yes", "no"))
        assert (record.tags[0] in ("negated", "yes-no")) == (answer in ("yes", "no"))
