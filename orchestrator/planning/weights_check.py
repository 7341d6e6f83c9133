"""Check pretrained weights and declared encoders before anything trains; storage remembers what has passed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.planning.model_process import asking
from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.expansion.toy import is_toy_tower
from search_spaces.identity import fingerprint, weights_name
from search_spaces.spec import TrialSpec, VisionSpec
from trainables.model.check_weights import LanguageRequest, WeightsAnswer, WeightsRequest
from trainables.package_versions import installed_versions
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import SourceDigest, WeightsDigest
from trainables.storage.store import Store

_PROGRAM = "trainables.model.check_weights"
_CHECK_VERSION = 1
"""Raised by hand when more is checked: what had passed is then checked again."""


@dataclass(frozen=True)
class CheckedWeights:
    """`checked-weights.json`: what has passed."""

    passed: tuple[str, ...]
    """Fingerprints, with the files and library versions with which it passed."""


@contextmanager
def checking_weights(
    specs: Sequence[TrialSpec],
    entries: Mapping[str, SourceDigest | WeightsDigest],
    store: Store,
    data_root: Path,
    report: Callable[[str], None],
) -> Iterator[Callable[[], list[InputError]] | None]:
    """Check the pretrained weights and declared encoders of trials while the block runs, in a process of its own.

    Yields what waits for it and returns everything that is wrong; None where all has passed before.

    Args:
        specs: specifications of the trials.
        entries: digests of weights by name; those that are not among them are missing, and reported already.
        store: storage that remembers what has passed.
        data_root: folder that declared origins of weights are relative to.
        report: told what is being checked.
    """
    languages = [each for each in language_requests(specs) if weights_name(str(each.language.checkpoint)) in entries]
    encoders = [
        tower for tower in _encoders(specs) if tower.checkpoint is None or weights_name(tower.checkpoint) in entries
    ]
    marks = [_mark(each.model_dump(mode="json"), each.language.checkpoint, entries) for each in languages]
    marks += [_mark(tower.model_dump(mode="json"), tower.checkpoint, entries) for tower in encoders]
    known = read_or_redo(store, layout.CHECKED_WEIGHTS, CheckedWeights)
    passed = set() if known is None else set(known.passed)
    parts: list[LanguageRequest | VisionSpec] = [*languages, *encoders]
    asked = [part for part, mark in zip(parts, marks, strict=True) if mark not in passed]
    if not asked:
        yield None
        return
    report("checking the weights of " + ", ".join(sorted({_name(part) for part in asked})))
    request = WeightsRequest(
        data_root=data_root,
        languages=tuple(part for part in asked if isinstance(part, LanguageRequest)),
        encoders=tuple(part for part in asked if isinstance(part, VisionSpec)),
    )
    new = [mark for mark in marks if mark not in passed]

    def problems(line: str) -> list[InputError]:
        answer = WeightsAnswer.model_validate_json(line)
        found = [*answer.languages, *answer.encoders]
        right = {mark for mark, problems in zip(new, found, strict=True) if not problems}
        write(store, layout.CHECKED_WEIGHTS, CheckedWeights(tuple(sorted(passed | right))))
        return [problem.error() for problems in found for problem in problems]

    about = "weights must be readable"
    with asking(_PROGRAM, about=about, request=request.model_dump_json(), timeout_s=None) as answer:
        yield lambda: problems(answer())


def language_requests(specs: Iterable[TrialSpec]) -> list[LanguageRequest]:
    """List every pretrained language model once, with the template and the adapters that trials use."""
    requests: dict[tuple[str, ...], LanguageRequest] = {}
    for spec in specs:
        language = spec.language
        if language.checkpoint is None:
            continue
        template = "template" in (language.prompt, *(stage.prompt for stage in spec.stages))
        targets = {target for stage in spec.stages if stage.lora for target in stage.lora.targets}
        key = (language.checkpoint, language.family, str(language.width), language.weights_prefix)
        before = requests.get(key, LanguageRequest(language=language))
        requests[key] = before.model_copy(
            update={
                "template": template or before.template,
                "targets": tuple(sorted(targets.union(before.targets))),
            }
        )
    return list(requests.values())


def _encoders(specs: Iterable[TrialSpec]) -> list[VisionSpec]:
    """List the towers with pretrained weights, or of facts that the study declares, once for each way to build them."""
    towers: dict[str, VisionSpec] = {}
    for tower in (tower for spec in specs for tower in spec.vision.towers):
        if tower.checkpoint is not None or not (is_toy_tower(tower) or _is_shipped(tower)):
            plain = tower.model_copy(update={"tokens": 1, "resize": "naive"})  # neither changes what is built
            towers[fingerprint(plain.model_dump(mode="json"))] = plain
    return list(towers.values())


def _is_shipped(tower: VisionSpec) -> bool:
    """Check whether the facts of a tower are those of the catalogue that ships, which tests compare with timm."""
    entry = shipped().encoders.get(tower.backbone)
    if not isinstance(entry, EncoderEntry):
        return False
    size = (
        {}
        if entry.family == "conv" or tower.resolution == (entry.native or entry.resolution)
        else {"img_size": tower.resolution}
    )
    return (entry.arch, {**entry.options, **size}) == (tower.arch, tower.options) and (
        (entry.patch, entry.width) == (tower.patch, tower.width)
        if entry.family == "vit"
        else entry.strides.get(tower.patch) == tower.width
    )


def _mark(value: dict[str, Any], origin: str | None, entries: Mapping[str, SourceDigest | WeightsDigest]) -> str:
    """Compute the fingerprint under which storage remembers that something has passed."""
    files = None if origin is None else entries[weights_name(origin)].digest
    versions = installed_versions(("torch", "transformers", "timm"))
    return fingerprint({"checked": value, "files": files, "versions": versions, "check_version": _CHECK_VERSION})


def _name(part: LanguageRequest | VisionSpec) -> str:
    return part.language.name if isinstance(part, LanguageRequest) else part.backbone
