"""Reduce a study to its base with more seeds: what its noise floor is measured on."""

from __future__ import annotations

from search_spaces.seeds import SEED_SOURCES, is_split, seeds_of_arm, with_added
from search_spaces.study import Study
from search_spaces.study_files import study_form
from search_spaces.yaml_source import Document

_ABOUT_ARMS = ("extends", "axes", "arms", "design", "exclude", "zip", "hypotheses", "seeds")
"""Keys of a study that say nothing of its base."""


def base_alone(study: Study, base: str, n_seeds: int) -> Study:
    """Make the study `<study>-noise`, whose one arm is the base of this one; its work has the keys that it has there.

    The base's seeds come first, so that nothing is trained twice; where they are too few, the next numbers follow. A
    study that seeds the sources of chance apart keeps all of its replicates.

    Args:
        study: as it was written.
        base: name of its base.
        n_seeds: of the base; at least so many.

    Raises:
        InputError: what is wrong with the base.
    """
    own = seeds_of_arm(study.seeds, base)
    first = max(own, default=-1) + 1
    seeds = with_added(study.seeds, {base: tuple(range(first, first + max(n_seeds - len(own), 0)))})
    chosen = seeds[base] if is_split(study.seeds) else seeds[base][:n_seeds]
    written: dict[str, list[int]] = {source: list(seeds[source]) for source in SEED_SOURCES if source in seeds}
    document = study.document
    value = {key: item for key, item in document.value.items() if key not in _ABOUT_ARMS}
    value |= {"study": f"{study.study}-noise", "seeds": {**written, "default": list(chosen)}}
    kept = {path: place for path, place in document.origins.items() if path[:1] != ("seeds",)}
    texts = {path: text for path, text in document.texts.items() if path[:1] != ("seeds",)}
    reduced = Document(value, kept, texts)
    alone = study_form(reduced)
    alone._document = reduced
    return alone
