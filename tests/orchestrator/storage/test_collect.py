"""Freeing loses nothing that any study of the storage needs, whatever lies there and wherever it is killed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.reporting.build import build_report
from orchestrator.reporting.forms import FORMS
from orchestrator.state.ledger import read_ledger
from orchestrator.state.status import study_status, to_json
from orchestrator.storage.collect import Selection, find_freeable, free
from orchestrator.storage.freeable import Freeable
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.study_files import load_study
from tests.support.several_studies import StoredStudy, begin, checkpoint, declare, finish
from tests.support.stored_studies import fail_trial, finish_stage
from trainables.storage import layout
from trainables.storage.file_classes import file_class
from trainables.storage.owner import Owner
from trainables.storage.record_files import read, write
from trainables.storage.records import Counts, PreparedManifest, TrialResult
from trainables.storage.store import LocalStore

EVERYTHING = Selection(gone=True, redoable=("features", "data"), grace_s=0.0)
LEFTOVERS = Selection(grace_s=0.0)
OF_ENDED_PROCESS = replace(Owner.here(), started=Owner.here().started - 1000)


class KilledError(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "storage").mkdir()
    return LocalStore(tmp_path / "storage")


def names(items: Sequence[Freeable]) -> set[str]:
    """List the names of what can be freed."""
    return {item.name for item in items}


def collect(store: LocalStore, selection: Selection = LEFTOVERS) -> list[Freeable]:
    """Free all that is selected; returns what is gone."""
    items = find_freeable(store, store.root, selection)[1]
    again = lambda: find_freeable(store, store.root, selection)[1]  # noqa: E731
    return [freed.item for freed in free(items, store, selection.grace_s, again) if freed.kept is None]


def shown(store: LocalStore, studies: Sequence[StoredStudy], with_removed: bool) -> list[str]:
    """Write down what commands show of studies: status, ledger and report.

    Args:
        store: the storage.
        studies: whose files are read as a command reads them.
        with_removed: whether trials of removed arms are listed.
    """
    lines = []
    for study in studies:
        options = PlanOptions(store.root, store.root / layout.SOURCES)
        loaded = load_study(str(study.file))
        planned = plan(expand(loaded, options), options, known_digests(store))
        ledger = read_ledger(planned, store)
        ledger = ledger if with_removed else replace(ledger, removed=())
        lines += to_json(study_status(planned, store, ledger)).splitlines()
        lines += [*sorted(ledger.done_nodes), repr(replace(ledger, done_nodes=frozenset()))]
        report = json.loads(FORMS["json"](build_report(loaded, planned, store, ledger)))
        for work in report["work"]:
            if work["kind"] == "features":  # what freed ones have cost is not known any more
                work |= {"gpu_seconds": 0.0, "gpu_seconds_saved": 0.0}
        lines += json.dumps(report, indent=1).splitlines()
    return lines


def content(store: LocalStore, folders: Sequence[str]) -> dict[str, bytes]:
    """Read the results and weights in folders."""
    kept = ("results", "weights")
    return {name: store.get(name) for folder in folders for name in store.list(folder) if file_class(name) in kept}


@dataclass(frozen=True)
class Version:
    """Version of a study: steps of its arms, its seeds, and of which trials a run planned only the first."""

    steps: tuple[int, ...]
    seeds: tuple[int, ...]
    limit: int | None


VERSIONS = st.builds(
    Version,
    st.lists(st.sampled_from((4, 6, 8)), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from(((7,), (7, 8))),
    st.sampled_from((None, None, 1)),
)
HISTORIES = st.dictionaries(
    st.sampled_from(("a", "b")), st.lists(VERSIONS, min_size=1, max_size=2), min_size=1, max_size=2
)
STATES = st.sampled_from(("pending", "begun", "half", "checkpoint", "failed", "done", "done", "running"))


def act(store: LocalStore, study: StoredStudy, data: st.DataObject) -> None:
    """Do to every trial of a version what runs and kills may have done."""
    planned = study.plan
    for trial in planned.trials:
        state = data.draw(STATES)
        first, last = (node.key or "" for node in trial.stage_nodes(planned))
        if state != "pending":
            begin(store, planned, trial)
        if state in ("half", "checkpoint"):
            finish_stage(store, trial.stage_nodes(planned)[0])
        if state == "checkpoint" and not store.exists(layout.stage_result(last)):
            checkpoint(store, last)
        if state == "failed":
            fail_trial(store, planned, trial)
        if state == "done":
            finish(store, planned, [trial])
        if state == "running":
            store.lease(layout.trial_lease(planned.study, trial.id), Owner.here())
            store.lease(last, Owner.here())
        if data.draw(st.booleans()):
            checkpoint(store, first)
            for name in (".projector.safetensors.ab.aside", ".tmpXyz", "checkpoints/writing.aside/rank-0.pt"):
                store.put(f"{layout.stage_folder(last)}/{name}", b"half")
        if data.draw(st.booleans()) and state == "done":
            seconds = 1_700_000_000 + len(store.folders(layout.superseded_trials(planned.study)))
            moved = layout.superseded(planned.study, trial.id, last[:12], seconds)
            store.move(layout.trial_folder(planned.study, trial.id), moved)


def litter(store: LocalStore) -> None:
    """Leave what kills leave outside of stages and trials."""
    store.put("scratch/abc/experiment.json", b"{}")
    store.put("preparing/abc/data/records.arrow", b"half")
    store.put(f"preparing/def/{layout.OWNER}", OF_ENDED_PROCESS.to_bytes())
    store.put("evaluations/0/.x.json.ab.aside", b"{")
    store.put(f"{layout.LEASES}/{'e' * 64}/{'f' * 16}.json", OF_ENDED_PROCESS.to_bytes())
    store.put(".digests.json.ab.aside", b"{")
    for folder in {name.split("/")[1] for name in store.list("evaluations") if name.endswith(".json")}:
        store.put(
            f"evaluations/{folder}/{store.list(f'evaluations/{folder}')[0].split('/')[-1][:-5]}.answers/rank-0.jsonl",
            b"",
        )


def kill_at(monkeypatch: pytest.MonkeyPatch, removals: int, files: int) -> None:
    """Kill the process in the removal of a folder: of so many folders are removed, and of the next so many files."""
    whole, counted = shutil.rmtree, [0]

    def rmtree(path: Path, ignore_errors: bool = False) -> None:
        counted[0] += 1
        if counted[0] <= removals:
            whole(path, ignore_errors=ignore_errors)
            return
        for file in sorted(each for each in Path(path).rglob("*") if each.is_file())[:files]:
            os.unlink(file)
        raise KilledError

    monkeypatch.setattr("trainables.storage.store.shutil", SimpleNamespace(rmtree=rmtree))


@settings(
    max_examples=25, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(HISTORIES, st.data())
def test_whatever_lies_there_and_wherever_it_is_killed_studies_show_the_same(
    histories: dict[str, list[Version]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        store = LocalStore(Path(folder) / "storage")
        store.root.mkdir()
        current = []
        for name, versions in histories.items():
            for version in versions:
                study = declare(store, name, version.steps, version.seeds, version.limit)
                act(store, study, data)
            current.append(study)
        litter(store)
        selection = data.draw(st.sampled_from((LEFTOVERS, EVERYTHING)))
        before = shown(store, current, not selection.gone)
        planned = {node.key: node for study in current for node in study.plan.nodes.values() if node.key is not None}
        stages = [layout.stage_folder(key) for key, node in planned.items() if node.kind == "stage"]
        needed = content(store, stages)
        unfinished = {
            name
            for folder in stages
            if not store.exists(f"{folder}/result.json")
            for name in store.list(folder)
            if "/checkpoints/" in name
        }
        kill_at(monkeypatch, data.draw(st.integers(0, 6)), data.draw(st.integers(0, 3)))
        try:
            collect(store, selection)
        except KilledError:
            assert shown(store, current, not selection.gone) == before
        monkeypatch.undo()
        collect(store, selection)
        assert shown(store, current, not selection.gone) == before
        assert content(store, stages) == needed
        assert all(store.exists(name) for name in unfinished)
        left = [
            item
            for item in find_freeable(store, store.root, selection)[1]
            if store.lease_owner(item.lease or "-") is None
        ]
        assert left == []


def test_what_is_shown_of_finished_trials_does_not_change_once_their_features_were_freed(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    before = shown(store, [study], with_removed=True)
    assert {item.kind for item in collect(store, Selection(redoable=("features",), grace_s=0.0))} == {"features"}
    assert shown(store, [study], with_removed=True) == before


def test_checkpoints_of_an_unfinished_or_damaged_stage_stay(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    done, other = study.trial(4, 7), study.trial(6, 7)
    finish(store, study.plan, [done])
    keys = [node.key or "" for node in (*done.stage_nodes(study.plan), *other.stage_nodes(study.plan))]
    for key in keys:
        checkpoint(store, key)
    store.put(layout.module_weights(layout.stage_folder(keys[1]), "projector"), b"cut")
    assert names(collect(store)) == {layout.checkpoints(keys[0])}


def test_stages_that_another_study_shares_stay_when_an_arm_is_removed(store: LocalStore) -> None:
    first, second = declare(store, "a", (4, 6, 10)), declare(store, "b", (6, 8))
    finish(store, first.plan)
    finish(store, second.plan)
    shared, own = first.trial(6, 7), first.trial(10, 7)
    declare(store, "a", (4,))
    gone = collect(store, Selection(gone=True, grace_s=0.0))
    assert {item.name for item in gone if item.kind != "evaluations"} == {
        layout.stage_folder(own.stage_nodes(first.plan)[-1].key or ""),
        layout.trial_folder("a", own.id),
        layout.trial_folder("a", shared.id),
    }
    assert [item.gpu_seconds for item in gone if item.kind == "stages"] == [10.0]


def test_arms_beyond_the_limit_of_a_run_are_not_removed_ones(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6, 8))
    finish(store, study.plan)
    declare(store, "a", (4, 6, 8), limit=1)
    assert collect(store, Selection(gone=True, grace_s=0.0)) == []


def test_stages_of_removed_arms_stay_where_an_arm_beyond_the_limit_of_a_run_needs_them(store: LocalStore) -> None:
    """The trial of the second seed is declared, and neither planned nor begun; it shares the first stage."""
    study = declare(store, "a", (4, 6), (7, 8))
    finish(store, study.plan, [study.trial(6, 8)])
    declare(store, "a", (4,), (7, 8), limit=1)
    shared, own = (node.key or "" for node in study.trial(6, 8).stage_nodes(study.plan))
    gone = names(collect(store, Selection(gone=True, grace_s=0.0)))
    assert layout.stage_folder(own) in gone
    assert layout.stage_folder(shared) not in gone


def test_a_study_that_is_kept_loses_no_removed_arm(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    declare(store, "a", (4,))
    assert collect(store, Selection(gone=True, keep=("a",), grace_s=0.0)) == []
    assert collect(store, Selection(gone=True, grace_s=0.0)) != []


def test_scores_of_a_removed_arm_stay_while_a_study_has_its_weights(store: LocalStore) -> None:
    """An earlier version of the other study asked other questions: it finds these scores by their key."""
    first, second = declare(store, "a", (4, 6)), declare(store, "b", (6,))
    finish(store, first.plan)
    finish(store, second.plan)
    name = layout.trial_result("b", second.trial(6, 7).id)
    result = read(store, name, TrialResult)
    assert result is not None
    others = {
        asked: scores.replace("evaluations/", "evaluations/other-") for asked, scores in result.evaluations.items()
    }
    write(store, name, replace(result, evaluations=others))
    declare(store, "a", (4,))
    assert {item.kind for item in collect(store, Selection(gone=True, grace_s=0.0))} == {"trials"}


def test_leases_are_read_as_often_for_many_leftovers_as_for_few(store: LocalStore) -> None:
    class Counting(LocalStore):
        looks = 0

        def leases(self) -> set[str]:
            self.looks += 1
            return super().leases()

    looks = []
    for count in (1, 40):
        for number in range(count):
            store.put(f"evaluations/0/.{number}.json.ab.aside", b"{")
        counting = Counting(store.root)
        assert len(find_freeable(counting, store.root, LEFTOVERS)[1]) == count
        looks.append(counting.looks)
    assert looks[0] == looks[1]


def test_trials_set_aside_keep_their_stages_until_they_are_old(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    trial = study.trial(6, 7)
    kept = layout.superseded("a", trial.id, "k", int(store.now()) - 10 * 86400)
    store.move(layout.trial_folder("a", trial.id), kept)
    declare(store, "a", (4,))
    gone = Selection(gone=True, grace_s=0.0)
    assert collect(store, gone) == []
    assert collect(store, replace(gone, superseded_after_s=11 * 86400)) == []
    assert names(collect(store, replace(gone, superseded_after_s=9 * 86400))) >= {
        kept,
        layout.stage_folder(trial.stage_nodes(study.plan)[-1].key or ""),
    }


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"trials": 1', b"\x00\xff"])
def test_a_plan_that_cannot_be_read_keeps_all_that_it_may_need(store: LocalStore, damage: bytes) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    declare(store, "b", (8,))
    store.put(layout.plan_file("a"), damage)
    key = study.trial(4, 7).stage_nodes(study.plan)[-1].key or ""
    checkpoint(store, key)
    for selection in (EVERYTHING, Selection(superseded_after_s=0.0, grace_s=0.0)):
        with pytest.raises(InputError, match=r"a/plan\.json"):
            collect(store, selection)
    assert names(collect(store)) == {layout.checkpoints(key)}


def test_a_begun_trial_that_lost_its_task_may_need_anything(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    for name in (layout.trial_task("a", study.trial(6, 7).id), layout.trial_result("a", study.trial(6, 7).id)):
        store.remove(name)
    with pytest.raises(InputError, match="must have its task or its result"):
        collect(store, EVERYTHING)


def test_removed_arms_of_a_study_without_its_file_are_not_known(store: LocalStore) -> None:
    finish(store, declare(store, "a", (4, 6)).plan)
    declare(store, "a", (4,))
    store.remove(layout.study_file("a"))
    with pytest.raises(InputError, match="--keep a"):
        collect(store, Selection(gone=True, grace_s=0.0))


def test_what_another_process_holds_or_has_just_written_stays(store: LocalStore) -> None:
    study = declare(store, "a", (4,))
    finish(store, study.plan)
    held, free_ = (node.key or "" for node in study.trial(4, 7).stage_nodes(study.plan))
    for key in (held, free_):
        checkpoint(store, key)
    assert collect(store, Selection(grace_s=3600.0)) == []
    assert store.lease(held, Owner.here())
    assert names(collect(store)) == {layout.checkpoints(free_)}


def test_while_a_run_goes_on_what_it_writes_under_no_lease_stays_whatever_the_grace_period(store: LocalStore) -> None:
    """It would take its storage to be away, pause, and be found paused as long as somebody frees."""
    study = declare(store, "a", (4,))
    finish(store, study.plan)
    checkpoint(store, study.trial(4, 7).stage_nodes(study.plan)[0].key or "")
    writing = ["scratch/.probe-ab.cd.aside", "evaluations/0/.x.json.ab.aside", f"{layout.LEASES}/.k.ab.aside/ab.json"]
    for name in writing:
        store.put(name, b"half")
    run = store.lease(layout.run_lease("a", "ab"), Owner.here())
    assert run is not None
    assert {item.kind for item in collect(store)} == {"checkpoints"}
    for name in writing[:2]:
        os.utime(store.root / name, (0, 0))
    assert names(collect(store)) == set(writing[:2])


def test_a_study_that_is_run_while_somebody_decides_keeps_what_it_needs(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    declare(store, "a", (4,))
    items = find_freeable(store, store.root, EVERYTHING)[1]
    assert {item.kind for item in items} == {"evaluations", "stages", "trials", "features"}
    declare(store, "a", (4, 6))
    again = lambda: find_freeable(store, store.root, EVERYTHING)[1]  # noqa: E731
    assert {freed.item.kind for freed in free(items, store, 0.0, again) if freed.kept is None} == {"features"}


def test_a_folder_with_somebody_elses_file_in_it_stays(store: LocalStore) -> None:
    study = declare(store, "a", (4, 6))
    finish(store, study.plan)
    removed = study.trial(6, 7)
    folder = layout.stage_folder(removed.stage_nodes(study.plan)[-1].key or "")
    store.put(f"{folder}/notes.txt", b"mine")
    store.put(f"{layout.trial_folder('a', removed.id)}/notes.txt", b"mine")
    declare(store, "a", (4,))
    assert {item.kind for item in collect(store, Selection(gone=True, grace_s=0.0))} == {"evaluations"}


def test_features_and_data_stay_while_some_trial_of_any_study_is_unfinished(store: LocalStore) -> None:
    first, second = declare(store, "a", (4,)), declare(store, "b", (6,))
    finish(store, first.plan)
    redoable = Selection(redoable=("features", "data"), grace_s=0.0)
    assert collect(store, redoable) == []
    finish(store, second.plan)
    assert {item.kind for item in collect(store, redoable)} == {"features"}


@pytest.mark.parametrize(("resources", "device"), [({}, "core"), ({"cpus_per_worker": 2}, "worker")])
def test_what_is_made_again_on_cpus_is_counted_as_in_the_report(
    resources: dict[str, float], device: str, store: LocalStore
) -> None:
    first = declare(store, "a", (4, 6))
    finish(store, first.plan)
    document = json.loads(store.get(layout.plan_file("a")))
    for arm in document["arms"]:
        arm["resources"] |= resources
    store.put(layout.plan_file("a"), json.dumps(document).encode())
    items = find_freeable(store, store.root, Selection(redoable=("features",), grace_s=0.0))[1]
    assert {item.device for item in items if item.kind == "features"} == {device}


def test_data_stay_where_a_plan_does_not_say_which_it_reads(store: LocalStore) -> None:
    study = declare(store, "a", (4,))
    finish(store, study.plan)
    document = json.loads(store.get(layout.plan_file("a")))
    del document["sources"]
    store.put(layout.plan_file("a"), json.dumps(document).encode())
    assert {item.kind for item in collect(store, Selection(redoable=("features",), grace_s=0.0))} == {"features"}
    with pytest.raises(InputError, match="must say which data"):
        collect(store, Selection(redoable=("data",), grace_s=0.0))


def test_of_prepared_data_those_that_reports_read_stay(store: LocalStore) -> None:
    study = declare(store, "a", (4,))
    finish(store, study.plan)
    asked = known_digests(store).digests[source_name(study.plan.benchmarks[0].source)]
    trained = known_digests(store).digests[source_name(study.trial(4, 7).spec.stages[0].data.parts[0].source)]
    for digest, pictures in ((asked, "1" * 64), (trained, "2" * 64)):
        manifest = PreparedManifest(3, Counts(1, 0, 1, {}), (), pictures)
        write(store, layout.data_result(digest), manifest)
        store.put(layout.pictures_bytes(pictures), b"x")
    gone = names(collect(store, Selection(redoable=("data",), grace_s=0.0)))
    assert gone == {layout.data_folder(trained), layout.pictures_folder("2" * 64)}
    assert collect(store, Selection(redoable=("data",), grace_s=0.0)) == []


def test_prepared_data_that_were_used_just_now_stay_with_their_pictures(store: LocalStore) -> None:
    """A run checks its data, maybe for hours, before it writes the plan that says which they are."""
    used, pictures = "1" * 64, "2" * 64
    write(store, layout.data_result(used), PreparedManifest(3, Counts(1, 0, 1, {}), (), pictures))
    store.put(layout.pictures_bytes(pictures), b"x")
    for name in (layout.data_result(used), layout.pictures_bytes(pictures)):
        os.utime(store.root / name, (0, 0))
    redoable = Selection(redoable=("data",))
    assert names(find_freeable(store, store.root, redoable)[1]) == {
        layout.data_folder(used),
        layout.pictures_folder(pictures),
    }
    store.touch(layout.data_result(used))
    assert find_freeable(store, store.root, redoable)[1] == []
