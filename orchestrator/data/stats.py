"""Describe sources and mixes: records, texts, images, steps of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from orchestrator.data.targets import Target
from orchestrator.data.token_lengths import EvenSample, measure_lengths
from orchestrator.planning.text_lengths import remember_lengths
from search_spaces.full_storage import disk_trouble
from search_spaces.identity import source_name
from search_spaces.spec import MixSpec, StageSpec
from search_spaces.steps import Modalities, epoch_steps, mix_modalities
from trainables.data.pace import Progress
from trainables.data.problems import left_out_lines
from trainables.data.readers import open_reader
from trainables.data.survey import profile
from trainables.data.treated import treated_lines
from trainables.storage import layout
from trainables.storage.records import Counts
from trainables.storage.store import Store


def describe_source(
    target: Target, store: Store, root: Path, batch: int, threads: int, progress: Progress
) -> dict[str, Any]:
    """Profile a source and count the steps of its epoch, as plain values.

    Of a source of a study, lengths in tokens are measured and kept on storage, where `ablate plan` finds them.

    Args:
        target: the source.
        store: keeps lengths of texts.
        root: folder in which relative paths of sources start.
        batch: global batch, in records, that steps are counted with.
        threads: how many read and decode images.
        progress: told how far each phase is.
    """
    sample = EvenSample()
    profiled = profile(target.source, open_reader(target.source, root), threads, progress, sample.add)
    lengths, kept = measure_lengths(target, profiled.counts, sample, root, progress)
    try:
        remember_lengths(store, kept)
    except OSError as error:  # a description needs no storage
        unkept = f"not kept for `ablate plan`: {disk_trouble(error, store.place(layout.TEXT_LENGTHS))}"
        lengths = [replace(each, note=each.note or unkept) for each in lengths]
    described = {**asdict(profiled), "tokens": [asdict(each) for each in lengths]}
    counts = described["counts"]
    records = Modalities(counts["records"] - counts["text_only"], counts["text_only"])
    in_words = treated_lines(described["treated"], target.source.pixels)
    counted = {"batch": batch, "steps": epoch_steps(records, batch)}
    notes = left_out_lines(Counts(**counts), None)
    return {"source": target.source.declared, **described, "images": in_words, "notes": notes, **counted}


def describe_mixes(targets: Sequence[Target], described: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count records by modality and source, and steps of an epoch, of each mix and batch size of a study."""
    realised = {source_name(t.source): source["counts"] for t, source in zip(targets, described, strict=True)}
    mixes: dict[tuple[str, int], dict[str, Any]] = {}
    for stage in _stages(targets):
        records = mix_modalities(stage.data, realised)
        if records is None:
            raise ValueError(f"every source of the mix {stage.data.name} was counted")
        mixes.setdefault(
            (stage.data.name, stage.global_batch),
            {
                "mix": stage.data.name,
                "batch": stage.global_batch,
                "image": records.image,
                "text": records.text,
                "steps": epoch_steps(records, stage.global_batch),
                "sources": _by_source(stage.data, realised),
            },
        )
    return list(mixes.values())


def _by_source(mix: MixSpec, realised: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in mix.parts:
        taken = mix_modalities(mix.model_copy(update={"parts": (part,)}), realised)
        counts[part.source.name] = counts.get(part.source.name, 0) + (taken.records if taken else 0)
    return counts


def _stages(targets: Sequence[Target]) -> list[StageSpec]:
    plans = {id(target.plan): target.plan for target in targets if target.plan is not None}
    return [stage for plan in plans.values() for trial in plan.trials for stage in trial.spec.stages]


def to_terminal(described: Sequence[dict[str, Any]], mixes: Sequence[dict[str, Any]], out: Console) -> None:
    """Print a table of each source, and one of all mixes."""
    for source in described:
        out.print(_source_view(source))
    if mixes:
        table = Table(
            "mix", "batch", "with image", "text-only", "steps of an epoch", "records by source", title="Mixes"
        )
        for mix in mixes:
            shares = ", ".join(f"{name} {count:,}" for name, count in mix["sources"].items())
            numbers = (f"{mix[name]:,}" for name in ("batch", "image", "text", "steps"))
            table.add_row(mix["mix"], *numbers, shares)
        out.print(table)


def _source_view(source: dict[str, Any]) -> Group:
    counts = source["counts"]
    title = (
        f"{source['source']}: {counts['records']:,} records ({counts['text_only']:,} text-only), {counts['images']:,} "
        f"images, {source['steps']:,} steps of an epoch at batch {source['batch']:,}"
    )
    if source["refused"]:
        title += f"\n{source['refused']:,} records cannot be read and are left out here: `ablate data check` lists them"
    title = "\n".join([title, *(f"{note}: `ablate data check` lists them" for note in source["notes"])])
    table = Table("", *source["characters"])
    named = {
        f"characters of a record (most: {source['longest']})": source["characters"],
        "turns": source["turns"],
        f"image width in px ({source['measured']:,} looked at)": source["width"],
        "image height in px": source["height"],
    }
    for each in source["tokens"]:
        of = f"{each['tokenizer']}, prompt {each['prompt']}"
        if each["note"] is not None:
            title += f"\nlengths in tokens ({of}): {each['note']}"
        if each["tokens"] is not None:
            named[f"tokens of a record ({of}; {each['looked_at']:,} looked at)"] = each["tokens"]
    for name, values in named.items():
        table.add_row(name, *(f"{value:,}" for value in values.values()))
    if counts["tags"]:
        title += "\ntags: " + ", ".join(f"{tag} {count:,}" for tag, count in counts["tags"].items())
    title = "\n".join([title, *source["images"]])
    return Group(Text(title), table)
