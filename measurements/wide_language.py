"""Put a larger language model into a trial of the quickstart."""

from __future__ import annotations

from dataclasses import replace

from trainables.task import TrialTask

LAYERS = 6


def with_wide_language(task: TrialTask, width: int) -> TrialTask:
    """Replace the language model of a task by one of six layers.

    Args:
        task: of a language model that is built from its configuration.
        width: of the embeddings, a multiple of 64.
    """
    config = {**task.trial.language.config, "hidden_size": width, "intermediate_size": 4 * width}
    config |= {"num_hidden_layers": LAYERS, "num_attention_heads": width // 64}
    language = task.trial.language.model_copy(update={"config": config, "width": width})
    return task.model_copy(update={"trial": replace(task.trial, language=language)})
