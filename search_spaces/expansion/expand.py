"""Expand a study: its arms and trials, then the graph of work in which equal work is one node.

The two steps are apart because what trials need is known before their data are: `expand_study` names sources and
checkpoints, preflight reads and digests them, and `plan_expansion` then knows every step and key.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.errors import InputError
from search_spaces.expansion.blind_run import declared_blind_run
from search_spaces.expansion.checks import CheckedArm, CheckedStudy, check_study
from search_spaces.expansion.graph import FeaturesChoice, Graph, TrialDraft
from search_spaces.expansion.patches import difference
from search_spaces.expansion.resolve_data import check_mix
from search_spaces.expansion.resolve_language import FactsOf
from search_spaces.expansion.resolve_vision import EncoderProbe, NoEncoder
from search_spaces.expansion.toy import toy_arms
from search_spaces.expansion.toy_data import toy_benchmarks, toy_samples
from search_spaces.expansion.toy_resources import Machine, not_kept, toy_resources
from search_spaces.identity import Memo, arm_fingerprint, benchmark_key, fingerprint, trial_id
from search_spaces.plan import Arm, Plan
from search_spaces.seeds import Seeds, seeds_by_arm_text, seeds_of_arm, split_of, with_added
from search_spaces.sizes import model_size
from search_spaces.spec import BenchmarkSpec, TrialSpec
from search_spaces.steps import RealisedCounts
from search_spaces.study import Study
from search_spaces.study_files import study_form
from search_spaces.study_layers import at_the_cause
from search_spaces.suggestions import UntriedSuggestion, legal_suggestions
from search_spaces.worker_contract import LAUNCHER_NOTES
from search_spaces.yaml_source import Document

ARMS_TRIED = 400
"""Arms, all tries together, that are checked to explain an error: about a second's work."""
LEAST_TRIED = 3

FEATURES_BUDGET_BYTES = 20_000_000_000
"""Default of `--features-budget`."""


@dataclass(frozen=True)
class Expansion:
    """Arms and trials of a study, by declared names: everything that is known before data and weights are read."""

    study: Study
    name: str
    """The study's, with ``-toy`` after it for its toy form."""
    checked: CheckedStudy
    trials: tuple[tuple[TrialDraft, ...], ...]
    """Of each arm of `checked`; together they are all trials in plan order."""
    memo: Memo
    """Canonical texts that the keys of the plan need again."""
    added: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Arm of the study -> numbers of replicates that the study file does not have."""

    @property
    def evaluation_sets(self) -> tuple[BenchmarkSpec, ...]:
        """Evaluation sets that the trained model answers: benchmarks, then samples."""
        return (*self.checked.benchmarks, *self.checked.samples)

    def specs(self, limit: int | None = None, selected: Collection[str] | None = None) -> list[TrialSpec]:
        """List what trials are, in plan order.

        Args:
            limit: only the first so many; None for all.
            selected: of these, only those with such an id; None for all.
        """
        trials = [trial for trials in self.trials for trial in trials][:limit]
        return [trial.spec for trial in trials if selected is None or trial.id in selected]


def expand_study(
    study: Study,
    *,
    toy: bool = False,
    toy_machine: Machine | None = None,
    probe: EncoderProbe | None = None,
    language_facts: FactsOf = lambda origin: None,
    added: Mapping[str, tuple[int, ...]] | None = None,
) -> Expansion:
    """Expand a study into its arms and trials, with all names looked up.

    Args:
        study: what a user wrote.
        toy: every model tiny, all data generated, few steps; the study is then named ``<study>-toy``.
        toy_machine: that toy trials are to run on; None for one that has all that is asked for.
        probe: finds out the facts of encoders that are neither in the catalogue nor the study's own.
        language_facts: what the configurations of checkpoints on this machine say.
        added: arm -> numbers of further replicates; names of arms that the study does not have are passed over.

    Raises:
        InputError: all that is wrong with the study's names, values and sizes, together.
    """
    memo = Memo()
    probe = None if probe is None else _KeptProbe(probe)
    try:
        checked = check_study(study, memo, probe, language_facts)
    except InputError as error:
        raise _helpful(error, study, probe, language_facts) from error
    if toy:
        checked = _toy(checked, toy_machine, memo)
    names = {arm.draft.name for arm in checked.arms}
    own = {arm: seeds_of_arm(study.seeds, arm) for arm in names}
    further = {arm: tuple(n for n in more if n not in own[arm]) for arm, more in (added or {}).items() if arm in names}
    seeds = with_added(study.seeds, further)
    trials = tuple(_trials(arm, seeds, memo) for arm in checked.arms)
    return Expansion(study, stored_name(study, toy=toy), checked, trials, memo, further)


def stored_name(study: Study, *, toy: bool) -> str:
    """Return the name under which storage keeps the results of a study, or of its toy form."""
    return f"{study.study}-toy" if toy else study.study


class _KeptProbe:
    """Probe that keeps its answers, and gives no others once it is closed: to ask anew takes seconds."""

    def __init__(self, probe: EncoderProbe):
        self._probe = probe
        self._answers: dict[str, EncoderEntry | NoEncoder] = {}
        self.is_open = True

    def __call__(self, name: str) -> EncoderEntry | NoEncoder:
        if name not in self._answers:
            if not self.is_open:
                raise UntriedSuggestion(name)
            self._answers[name] = self._probe(name)
        return self._answers[name]


def _helpful(error: InputError, study: Study, probe: _KeptProbe | None, facts: FactsOf) -> InputError:
    """Keep the suggestions that lead out, and move errors to the lines that bring them about."""

    def check(document: Document) -> None:
        other = study_form(document)
        other._document = document
        check_study(other, Memo(), probe, facts)

    if probe is not None:
        probe.is_open = False
    most = max(LEAST_TRIED, ARMS_TRIED // _size(study))
    error = legal_suggestions(error, study.document, check, most)
    return error if study.layers is None else at_the_cause(error, study.layers, check, most)


def _size(study: Study) -> int:
    """Estimate the number of a study's arms without reading them."""
    lengths = [len(written) for written in study.axes.values() if isinstance(written, list | dict)]
    return 1 + len(study.arms) + (math.prod(lengths) if study.design == "grid" else sum(lengths))


def plan_expansion(
    expansion: Expansion,
    *,
    digests: Mapping[str, str] | None = None,
    counts: RealisedCounts | None = None,
    limit: int | None = None,
    features: FeaturesChoice = "auto",
    features_budget_bytes: int = FEATURES_BUDGET_BYTES,
) -> Plan:
    """Plan the trials of an expanded study: the graph of work in which equal work is one node.

    Args:
        expansion: arms and trials.
        digests: content digests by `identity.weights_name` and `identity.source_name`; keys need them.
        counts: realised counts of prepared sources by `identity.source_name`, in the place of declared ones.
        limit: keep the first so many trials in plan order.
        features: whether the features of frozen encoders are cached.
        features_budget_bytes: of `features="auto"`: frozen encoders are cached, in plan order, while they fit.

    Raises:
        InputError: if a mix asks for more than its counted sources hold.
    """
    study, checked, realised = expansion.study, expansion.checked, counts or {}
    for mix, path in checked.mixes:
        check_mix(study, mix, path, realised)
    blind = declared_blind_run(study.blind, checked.benchmarks, realised)
    graph = Graph(digests or {}, realised, expansion.evaluation_sets, features, features_budget_bytes, expansion.memo)
    of_arms = zip(checked.arms, expansion.trials, strict=True)
    everyone = tuple(trial for arm, drafts in of_arms for trial in graph.add(arm, drafts))
    trials = everyone[:limit]
    names = {trial.arm for trial in trials}
    return Plan(
        study=expansion.name,
        question=study.question,
        digest=_digest(expansion),
        arms=tuple(_arm(arm, expansion) for arm in checked.arms if arm.draft.name in names),
        trials=trials,
        nodes=graph.nodes(trials),
        benchmarks=checked.benchmarks,
        axes=tuple(study.axes),
        base=next((arm.draft.name for arm in checked.arms if not arm.draft.patch and arm.draft.name in names), None),
        samples=checked.samples,
        blind=blind,
        benchmark_keys={
            asked.name: benchmark_key(asked, digests or {}) for asked in (*expansion.evaluation_sets, *blind.sets)
        },
        digests=digests or {},
        excluded=checked.excluded,
        others=frozenset(trial.id for trial in everyone[len(trials) :]),
        added_seeds=expansion.added,
        disk_budget_bytes=None if study.storage.budget_gb is None else round(study.storage.budget_gb * 1e9),
        notes=(*checked.notes, *graph.notes, *_added_notes(expansion), *_launcher_notes(study)),
    )


def plan_study(
    study: Study,
    *,
    digests: Mapping[str, str] | None = None,
    counts: RealisedCounts | None = None,
    limit: int | None = None,
    features_budget_bytes: int = FEATURES_BUDGET_BYTES,
    features: FeaturesChoice = "auto",
    toy: bool = False,
    toy_machine: Machine | None = None,
    probe: EncoderProbe | None = None,
    language_facts: FactsOf = lambda origin: None,
) -> Plan:
    """Expand and plan a study in one go, with what is known of its data; the arguments are those of the two steps."""
    expansion = expand_study(study, toy=toy, toy_machine=toy_machine, probe=probe, language_facts=language_facts)
    return plan_expansion(
        expansion,
        digests=digests,
        counts=counts,
        limit=limit,
        features=features,
        features_budget_bytes=features_budget_bytes,
    )


def _toy(checked: CheckedStudy, machine: Machine | None, memo: Memo) -> CheckedStudy:
    resources = [arm.resources for arm in checked.arms]
    tiny = toy_arms([arm.resolved for arm in checked.arms], resources)
    left_out = not_kept(resources, machine)
    return replace(
        checked,
        arms=tuple(
            CheckedArm(
                arm.draft,
                resolved,
                toy_resources(arm.resources, arm.resolved.template.stages, resolved.template.stages, machine),
                arm_fingerprint(resolved.template, memo),
            )
            for arm, resolved in zip(checked.arms, tiny, strict=True)
        ),
        benchmarks=toy_benchmarks(checked.benchmarks),
        samples=toy_samples(checked.samples),
        notes=(
            "toy: tiny models, generated data, few steps; its scores mean nothing",
            *([left_out] if left_out else []),
        ),
        mixes=(),
    )


def _trials(arm: CheckedArm, seeds: Seeds, memo: Memo) -> tuple[TrialDraft, ...]:
    name = arm.draft.name
    specs = {seed: arm.resolved.trial(seed, split_of(seeds, seed)) for seed in seeds_of_arm(seeds, name)}
    return tuple(TrialDraft(trial_id(spec, name, memo), name, seed, spec) for seed, spec in specs.items())


def _added_notes(expansion: Expansion) -> list[str]:
    """Note the replicates that are not in the study file."""
    if not any(expansion.added.values()):
        return []
    return [f"seeds added on this storage by `run --until-decided`: {seeds_by_arm_text(expansion.added)}"]


def _launcher_notes(study: Study) -> list[str]:
    note = LAUNCHER_NOTES[study.resources.launcher]
    return [] if note is None else [note]


def _digest(expansion: Expansion) -> str:
    """Fingerprint what was written and the ids of all trials, whatever the limit."""
    written = {key: value for key, value in expansion.study.document.value.items() if key != "extends"}
    return fingerprint({"study": written, "trials": [trial.id for trials in expansion.trials for trial in trials]})


def _arm(arm: CheckedArm, expansion: Expansion) -> Arm:
    template, memo = arm.resolved.template, expansion.memo
    modules = (template.vision, template.projector, template.language)
    return Arm(
        id=arm.fingerprint[:12],
        name=arm.draft.name,
        difference=difference(expansion.checked.base, arm.draft.patch),
        values=arm.draft.values,
        by_axes=arm.draft.by_axes,
        resources=arm.resources.arm,
        note=arm.draft.note,
        stage_resources=arm.resources.stages,
        size=memo.of("size", modules, lambda: model_size(template, expansion.checked.sizes)),
    )
