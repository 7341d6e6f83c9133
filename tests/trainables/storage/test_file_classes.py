"""Every name that the layout makes has a class, and every class its unit; what nobody names is unknown."""

from __future__ import annotations

import pytest

from tests.support.layout_names import FUNCTIONS, KEY, example
from trainables.storage import layout
from trainables.storage.file_classes import PATTERNS, UNIT_DEPTHS, file_class, unit_of


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_file_that_the_layout_names_has_a_class(name: str) -> None:
    assert file_class(example(name)) != "unknown"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (layout.stage_result(KEY), "results"),
        (layout.module_weights(layout.stage_folder(KEY), "language"), "weights"),
        (f"{layout.checkpoints(KEY)}/00000002/deep/rank-0.pt", "checkpoints"),
        (f"{layout.checkpoints(KEY)}/writing.aside/rank-0.pt", "asides"),
        (f"stages/{KEY}/.tmpAbC", "asides"),
        (layout.features_array(KEY), "features"),
        (f"{layout.features_in_progress(KEY, 'n')}/features.npy", "progress"),
        (layout.set_aside(layout.features_folder(KEY), "ab12"), "asides"),
        (layout.data_records(KEY), "data"),
        (layout.pictures_bytes(KEY), "pictures"),
        (layout.evaluation_result(KEY, "gqa"), "evaluations"),
        (layout.evaluation_examples(KEY, "gqa@blank"), "evaluations"),
        (f"{layout.evaluation_answers(KEY, 'gqa')}/rank-0.jsonl", "answers"),
        (layout.plan_file("s"), "studies"),
        (layout.spool("s", "t"), "spools"),
        (layout.node_spool("s", "t", 8), "spools"),
        (layout.worker_log("s", "t", 0), "logs"),
        (layout.driver_log("s"), "logs"),
        (layout.trial_task("s", "t"), "trials"),
        (layout.task_in(layout.superseded("s", "t", "k", 1)), "superseded"),
        (f"{layout.lease_folder(KEY)}/abc.json", "leases"),
        (f"{layout.LEASES}/.{KEY}.abc.aside/abc.json", "asides"),
        (layout.scratch("n"), "scratch"),
        (layout.owner_in(f"{layout.PREPARING}/n"), "preparing"),
        (f"{layout.PREPARING}/n/data/records.arrow", "preparing"),
        (layout.TRACKING_DATABASE, "tracking"),
        (layout.upload_offset("server", "s", "t"), "tracking"),
        (layout.DIGESTS, "caches"),
        (layout.data_problems("gqa"), "caches"),
        (f"{layout.SOURCES}/gqa/.tmp1/x.aside", "sources"),
        (f"stages/{KEY}/notes.txt", "unknown"),
        ("stages/notes.txt", "unknown"),
        ("studies/.ipynb_checkpoints/plan.json", "unknown"),
        ("studies/s copy/trials/t/result.json", "unknown"),
        ("studies/s/trials/.ipynb_checkpoints/task.json", "unknown"),
        ("thesis.tex", "unknown"),
    ],
)
def test_a_file_has_the_class_that_its_name_tells(name: str, kind: str) -> None:
    assert file_class(name) == kind


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        (layout.stage_result(KEY), f"stages/{KEY}"),
        (f"{layout.checkpoints(KEY)}/00000002/rank-0.pt", layout.checkpoints(KEY)),
        (f"{layout.checkpoints(KEY)}/writing.aside/rank-0.pt", f"{layout.checkpoints(KEY)}/writing.aside"),
        (f"{layout.evaluation_answers(KEY, 'gqa')}/rank-0.jsonl", layout.evaluation_answers(KEY, "gqa")),
        (layout.spool("s", "t"), layout.trial_folder("s", "t")),
        (layout.task_in(layout.superseded("s", "t", "k", 1)), layout.superseded("s", "t", "k", 1)),
        (f"{layout.lease_folder(layout.trial_lease('s', 't'))}/abc.json", "leases/trials/s/t"),
        (layout.lease_folder(KEY), layout.lease_folder(KEY)),
        (layout.DIGESTS, layout.DIGESTS),
    ],
)
def test_a_file_belongs_to_the_folder_that_is_removed_as_one(name: str, unit: str) -> None:
    assert unit_of(name, file_class(name)) == unit


def test_every_class_has_patterns_and_a_unit() -> None:
    assert set(PATTERNS) == set(UNIT_DEPTHS)
    assert [kind for kind, patterns in PATTERNS.items() if not patterns] == ["progress", "asides", "unknown"]
