"""Read prepared questions and answers, and find what no tokenizer can say and what no training question is like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec, LanguageSpec, MixSpec, SourceSpec
from trainables.benchmarks.best_reachable import check_reachable
from trainables.benchmarks.registry import find_benchmark, is_evaluation
from trainables.data.mix import Mix, realise
from trainables.data.prepared import PreparedSource
from trainables.evaluation.prompt_forms import UnseenForm, unseen_forms
from trainables.evaluation.questions import Questions, open_questions
from trainables.evaluation.sayable import unsayable
from trainables.model.lexicon import Lexicon, open_lexicon, unknown_words
from trainables.model.weights import find_weights
from trainables.storage.store import Store

_WAY_OUT = (
    "Take a language model that knows them, a pretrained one or `language: tiny`, whose words are those that the"
    " study's base trains on; words that only a benchmark has must be trained before they can be said."
)


class AskedQuestions:
    """Prepared data and tokenizers of a study, each opened once.

    Args:
        digests: of all prepared sources, by digest name.
        store: storage that holds the prepared sources.
        data_root: folder in which relative paths of weights start.
    """

    def __init__(self, digests: Mapping[str, str], store: Store, data_root: Path):
        self._digests, self._store, self._root = digests, store, data_root
        self._sources: dict[str, PreparedSource] = {}
        self._lexicons: dict[str, Lexicon | None] = {}
        self._drawn: dict[str, Mix] = {}
        self._questions: dict[str, Questions] = {}

    def training_words(self, language: LanguageSpec, mix: MixSpec) -> None:
        """Check that a tokenizer knows all words of the answers of a mix. Raises InputError."""
        lexicon = self._lexicon(language)
        if lexicon is None:
            return
        found = unknown_words(lexicon, self._texts(mix, PreparedSource.answers))
        if found.texts:
            raise InputError(
                f"training answers must be of words that the tokenizer of {language.name} knows, but {found.share}"
                f" answers of {mix.name} have others: {found.shown}",
                key="language",
                way_out=_WAY_OUT,
            )

    def benchmark_words(self, language: LanguageSpec, benchmark: BenchmarkSpec) -> Iterator[str]:
        """Warn of questions with words that a tokenizer does not know. Raises InputError for such right answers."""
        lexicon = self._lexicon(language)
        if lexicon is None:
            return
        questions = self._asked(benchmark)
        name, total = language.name, len(questions.examples)
        answers = unsayable(questions.protocol, questions.examples, lexicon)
        if answers.unknown:
            shown = ", ".join(map(repr, answers.words[:8])) + (", ..." if len(answers.words) > 8 else "")
            raise InputError(
                f"right answers must be of words that the tokenizer of {name} knows, but those to"
                f" {len(answers.unknown):,} of {total:,} questions have others: {shown}",
                key=f"benchmarks.{benchmark.id}",
                way_out=_WAY_OUT,
            )
        if answers.changed:
            right, said = answers.changed[0]
            yield (
                f"{benchmark.id}: {len(answers.changed):,} of {total:,} right answers cannot be said as they are scored"
                f" with the tokenizer of {name}: {right!r} is read back as {said!r}"
            )
        if answers.long:
            yield (
                f"{benchmark.id}: {len(answers.long):,} of {total:,} right answers are longer than the"
                f" {questions.protocol.max_new_tokens} tokens that the protocol {benchmark.protocol} lets a model"
                f" write: {answers.long[0][:60]!r}"
            )
        texts = list(map(questions.protocol.prompt, questions.examples))
        cut = sum(lexicon.length(text) > language.max_length for text in texts)
        if cut:
            yield (
                f"{benchmark.id}: {cut:,} of {total:,} prompts are longer than {language.max_length} tokens and lose"
                f" their end; raise `language.max_length`"
            )
        prompts = unknown_words(lexicon, texts)
        if prompts.texts:
            yield (
                f"{benchmark.id}: {prompts.share} prompts have words that the tokenizer of {name} does not know and"
                f" reads as one and the same: {prompts.shown}"
            )

    def reachable(self, benchmark: BenchmarkSpec) -> None:
        """Check that the references of a benchmark let some answer be right under its protocol. Raises InputError."""
        questions = self._asked(benchmark)
        try:
            check_reachable(questions.protocol, benchmark.protocol, questions.examples)
        except InputError as error:
            raise InputError(error.law, key=f"benchmarks.{benchmark.id}.protocol", way_out=error.way_out) from error

    def prompts(self, mixes: Sequence[MixSpec], benchmark: BenchmarkSpec) -> Iterator[str]:
        """Warn where a benchmark asks as no training record does, or as all of them do not."""
        questions = self._asked(benchmark)
        names = " and ".join(dict.fromkeys(mix.name for mix in mixes))

        def training() -> Iterator[str]:
            return chain.from_iterable(self._texts(mix, PreparedSource.questions) for mix in mixes)

        if not mixes:
            yield f"{benchmark.id}: every stage drops its questions (`prompt: caption`), so that none is trained on one"
            return
        for form in unseen_forms(questions.protocol, questions.examples, training):
            yield f"{benchmark.id} ({benchmark.protocol}): {form.sentence(names)}{self._ways_out(form, benchmark)}"

    def _ways_out(self, form: UnseenForm, benchmark: BenchmarkSpec) -> str:
        """Name the protocols of a benchmark that do without words which training never saw."""
        if not form.prompts or not is_evaluation(benchmark.source):
            return ""
        chosen = find_benchmark(str(benchmark.source.options["benchmark"]))
        examples = self._asked(benchmark).examples[:50]
        others = [
            name
            for name, protocol in chosen.protocols.items()
            if not any(form.is_of(protocol.prompt(example)) for example in examples)
        ]
        ways = [f"`protocol: {name}` asks without it" for name in others[:1]]
        return "; " + ", or ".join([*ways, "train on questions that have it"])

    def _asked(self, benchmark: BenchmarkSpec) -> Questions:
        key = repr(benchmark)
        if key not in self._questions:
            self._questions = {key: open_questions(benchmark, self._source(benchmark.source))}  # one set in memory
        return self._questions[key]

    def _lexicon(self, language: LanguageSpec) -> Lexicon | None:
        key = repr((language.tokenizer, language.checkpoint))
        if key not in self._lexicons:
            path = find_weights(language.checkpoint, self._root) if language.checkpoint else None
            sources = language.tokenizer.vocabulary
            self._lexicons[key] = open_lexicon(
                language, lambda: chain.from_iterable(self._source(source).texts() for source in sources), path
            )
        return self._lexicons[key]

    def _texts(self, mix: MixSpec, read: Callable[[PreparedSource, Sequence[int]], Iterator[str]]) -> Iterator[str]:
        """Read the texts of a mix's records, without repetitions; of a mix that is drawn per seed, one draw's."""
        key = repr(mix)
        if key not in self._drawn:
            prepared = {source_name(part.source): self._source(part.source) for part in mix.parts}
            self._drawn[key] = realise(mix, prepared, seed=0)
        drawn = self._drawn[key]
        for number, source in enumerate(drawn.sources):
            yield from read(source, sorted(set(drawn.row[drawn.source == number].tolist())))

    def _source(self, source: SourceSpec) -> PreparedSource:
        name = source_name(source)
        if name not in self._sources:
            self._sources[name] = PreparedSource(self._store, self._digests[name])
        return self._sources[name]
