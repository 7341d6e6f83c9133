"""Answer prompts with a model: rank given options by likelihood, or generate greedily, with a key-value cache.

A sequence is `[BOS] [image] [prompt] [answer]`. What an image adds to the cache is computed once and serves all
questions about it; what a prompt adds serves all its options. Prompts of a batch are padded on the right: padding is
marked, and what follows has its true positions.

Shapes: U images, B prompts, T tokens, V visual tokens, D embedding width, K positions in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.question_memory import positions_at_once
from trainables.evaluation.key_values import KeyValues
from trainables.model.language import attention_kernel, attention_window
from trainables.model.vlm import VLM

Ids = Sequence[int]


@dataclass(frozen=True)
class Images:
    """Encoded images of a batch of prompts."""

    features_UPC: Tensor
    of_prompt: Sequence[int]
    """Row of each prompt's image."""


class _Texts(NamedTuple):
    """Embedded texts of B rows, padded on the right."""

    embedded_BTD: Tensor
    count_B: Sequence[int]
    """Tokens of each row; 0 for a row of padding alone."""

    @property
    def width(self) -> int:
        return self.embedded_BTD.shape[1]


@dataclass
class _State:
    """Key-value cache and last hidden states of B rows."""

    cache: KeyValues
    positions: int
    """Of a row in the cache, padding included."""
    is_real_BR: Tensor | None
    """Which positions are no padding, for all that a row has room for; those to come are. None: there is none."""
    length_B: Tensor
    """Number of real positions of each row: where the next token stands."""
    hidden_BD: Tensor
    """Last hidden state of each row's last real position."""

    def rows(self, chosen: Tensor, more: int) -> _State:
        """Copy the state of rows, in their order; a row may be repeated.

        Args:
            chosen: numbers of rows.
            more: positions that will be appended, at most.
        """
        return self._of(chosen, self.cache.rows(chosen, self.positions + more), more)

    def moved_rows(self, chosen: Tensor, more: int) -> _State:
        """Move the state of rows, which leaves this one without its cache; the arguments are those of `rows`."""
        return self._of(chosen, self.cache.move_rows(chosen, self.positions + more), more)

    def _of(self, chosen: Tensor, cache: KeyValues, more: int) -> _State:
        real_BR = None
        if self.is_real_BR is not None:
            real_BR = F.pad(self.is_real_BR[chosen, : self.positions], (0, more), value=True)
        return _State(cache, self.positions, real_BR, self.length_B[chosen], self.hidden_BD[chosen])

    def mark_padding(self, texts: _Texts) -> None:
        """Mark the padding of texts that come next."""
        if min(texts.count_B) == texts.width:
            return
        if self.is_real_BR is None:
            self.is_real_BR = self.length_B.new_ones(len(self.length_B), self.cache.room, dtype=torch.bool)
        token_T = torch.arange(texts.width, device=self.length_B.device)
        is_token_BT = token_T < torch.tensor(texts.count_B, device=self.length_B.device)[:, None]
        self.is_real_BR[:, self.positions : self.positions + texts.width] = is_token_BT


class Answerer:
    """Model in evaluation mode that answers batches of prompts.

    Args:
        model: the model, on its device.
        pad: id of the padding token.
        end: id of the token that ends an answer.
        device: the model's device.
        dtype: precision of the visual features.
    """

    def __init__(self, model: VLM, pad: int, end: int, device: str, dtype: torch.dtype):
        self._model, self._language = model, model.language
        self._pad, self._end = pad, end
        self._device, self._dtype = device, dtype
        self.window = attention_window(self._language)
        """Positions that a token attends to; None for all (`question_batches.plan_batches`)."""
        self._takes_masks = self.window is None and attention_kernel(self._language) == "sdpa"
        self.most_positions = positions_at_once(self._position_bytes())
        """Of a batch of questions, whose plan must keep within it (`question_batches.plan_batches`)."""

    @torch.inference_mode()
    def _position_bytes(self) -> int:
        """Measure what the keys and values of one position take, on the first one of any sequence."""
        return self._read_images(None, 0).cache.nbytes

    @torch.inference_mode()
    def rank_first_tokens(
        self, prompts: Sequence[Ids], images: Images | None, options: Sequence[Sequence[Ids]]
    ) -> list[list[float]]:
        """Compute the log-probability of the first token of each option of each prompt.

        Args:
            prompts: token ids of B prompts, without BOS.
            images: the prompts' images; None where they have none.
            options: of each prompt, the token ids of its options.
        """
        log_probs_BW = self._log_probs(self._read_prompts(prompts, images, 0).hidden_BD)
        return [
            [float(row_W[option[0]]) for option in own] for row_W, own in zip(log_probs_BW.cpu(), options, strict=True)
        ]

    @torch.inference_mode()
    def rank_options(
        self, prompts: Sequence[Ids], images: Images | None, options: Sequence[Sequence[Ids]]
    ) -> list[list[float]]:
        """Compute the log-probability of each whole option of each prompt, summed over its tokens.

        Args:
            prompts: token ids of B prompts, without BOS.
            images: the prompts' images; None where they have none.
            options: of each prompt, the token ids of its options.
        """
        state = self._read_prompts(prompts, images, 0)
        first_BW = self._log_probs(state.hidden_BD).cpu()
        ranked = [(row, option) for row, own in enumerate(options) for option in own]
        scores = [float(first_BW[row, option[0]]) for row, option in ranked]
        longer = [i for i, (_, option) in enumerate(ranked) if len(option) > 1]
        longest = max((len(ranked[i][1]) for i in longer), default=0)
        at_once = max(1, self.most_positions // (state.positions + longest))
        for start in range(0, len(longer), at_once):
            chunk = longer[start : start + at_once]
            rows = torch.tensor([ranked[i][0] for i in chunk], device=self._device)
            texts = [ranked[i][1] for i in chunk]
            hidden_BTD = self._extend(state.rows(rows, longest), self._embedded([text[:-1] for text in texts]))
            for i, text, hidden_TD in zip(chunk, texts, hidden_BTD, strict=True):
                log_probs_TW = self._log_probs(hidden_TD[: len(text) - 1])
                following = torch.tensor(text[1:], device=self._device)
                scores[i] += float(log_probs_TW.gather(1, following[:, None]).sum())
        remaining = iter(scores)
        return [[next(remaining) for _ in own] for own in options]

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Ids], images: Images | None, most: int) -> list[list[int]]:
        """Generate greedily until the end token (which is left out) or `most` tokens.

        Args:
            prompts: token ids of B prompts, without BOS.
            images: the prompts' images; None where they have none.
            most: tokens of an answer, at most.
        """
        state = self._read_prompts(prompts, images, most)
        answers: list[list[int]] = [[] for _ in prompts]
        writing = {row: row for row in range(len(prompts))}
        """Row -> its prompt, of the answers that have not ended."""
        for step in range(most):
            token_B = self._model.head(state.hidden_BD).argmax(dim=1)
            tokens = token_B.tolist()
            writing = {row: prompt for row, prompt in writing.items() if tokens[row] != self._end}
            for row, prompt in writing.items():
                answers[prompt].append(tokens[row])
            if not writing or step + 1 == most:
                break
            if 2 * len(writing) <= len(tokens):  # a copy of the cache is worth it when it halves the work
                left = torch.tensor(list(writing), device=self._device)
                state, token_B = state.moved_rows(left, most - step - 1), token_B[left]
                writing = dict(enumerate(writing.values()))
            self._extend(state, _Texts(self._embed(token_B[:, None]), [1] * len(token_B)))
        return answers

    def _read_prompts(self, prompts: Sequence[Ids], images: Images | None, more: int) -> _State:
        """Prefill the cache with each image once, then with every prompt after its own image.

        Args:
            prompts: token ids of B prompts, without BOS.
            images: the prompts' images; None where they have none.
            more: positions that will follow, at most.
        """
        texts = self._embedded(prompts)
        more += texts.width
        of_prompt = list(images.of_prompt) if images is not None else [0] * len(prompts)
        is_own = images is not None and of_prompt == list(range(len(images.features_UPC)))
        state = self._read_images(images, more if is_own else 0)
        if not is_own:
            state = state.moved_rows(torch.tensor(of_prompt, device=self._device), more)
        self._extend(state, texts)
        return state

    def _read_images(self, images: Images | None, more: int) -> _State:
        """Prefill the cache with `[BOS] [image]` of each image, or with `[BOS]` alone.

        Args:
            images: U images.
            more: positions that will follow, at most.
        """
        bos_D = self._embed(torch.tensor(self._model.bos, device=self._device))
        if images is None:
            inputs_BLD = bos_D[None, None]
        else:
            features_UPC = images.features_UPC.to(self._device, self._dtype)
            visual_UVD = self._model.visual_tokens(features_UPC).to(bos_D.dtype)
            inputs_BLD = torch.cat([bos_D.expand(len(visual_UVD), 1, -1), visual_UVD], dim=1)
        count, length = inputs_BLD.shape[:2]
        nothing_B = torch.zeros(count, dtype=torch.long, device=self._device)
        state = _State(KeyValues(length + more), 0, None, nothing_B, inputs_BLD[:, 0])
        self._extend(state, _Texts(inputs_BLD, [length] * count))
        return state

    def _extend(self, state: _State, texts: _Texts) -> Tensor:
        """Extend the state in place by texts; return their hidden states, B x T x D."""
        state.mark_padding(texts)
        position_BT = state.length_B[:, None]
        if texts.width > 1:
            position_BT = position_BT + torch.arange(texts.width, device=self._device)
        output = self._language.base_model(  # type: ignore[operator]
            inputs_embeds=texts.embedded_BTD,
            attention_mask=self._attended(state, texts.width),
            position_ids=position_BT,
            cache=state.cache,
            use_cache=True,
        )
        state.positions += texts.width
        hidden_BTD: Tensor = output.last_hidden_state
        if texts.width == 1 and min(texts.count_B) == 1:
            state.hidden_BD = hidden_BTD[:, 0]
            state.length_B = state.length_B + 1
            return hidden_BTD
        count_B = torch.tensor(texts.count_B, device=self._device)
        rows = torch.arange(len(count_B), device=self._device)
        last_BD = hidden_BTD[rows, (count_B - 1).clamp_min(0)]
        state.hidden_BD = torch.where((count_B > 0)[:, None], last_BD, state.hidden_BD)
        state.length_B = state.length_B + count_B
        return hidden_BTD

    def _attended(self, state: _State, width: int) -> Tensor | None:
        """Make the mask of attention for the next positions of all rows.

        What transformers would make of the marks of padding, in every call anew, and after it has waited for the device
        to learn whether there is any. Where a model's layers differ in what they attend to, it is left to make them.

        Args:
            state: before these positions.
            width: number of these positions.

        Returns:
            B x 1 x T x K; None where attention is causal and nothing is padded; B x K for transformers.
        """
        before, after = state.positions, state.positions + width
        real_BK = None if state.is_real_BR is None else state.is_real_BR[:, :after]
        if not self._takes_masks:
            return state.length_B.new_ones(len(state.length_B), after) if real_BK is None else real_BK.long()
        if width == 1 or (before == 0 and real_BK is None):
            return None if real_BK is None else real_BK[:, None, None]
        query_T1 = torch.arange(before, after, device=self._device)[:, None]
        causal_TK = torch.arange(after, device=self._device) <= query_T1
        if real_BK is None:
            return causal_TK.expand(len(state.length_B), 1, -1, -1)
        return causal_TK & real_BK[:, None, None]

    def _embedded(self, texts: Sequence[Ids]) -> _Texts:
        """Embed token ids, padded on the right."""
        width = max(1, *map(len, texts)) if texts else 1
        ids_BT = np.full((len(texts), width), self._pad, np.int64)
        for row, text in enumerate(texts):
            ids_BT[row, : len(text)] = text
        return _Texts(self._embed(torch.from_numpy(ids_BT).to(self._device)), [*map(len, texts)])

    def _embed(self, ids: Tensor) -> Tensor:
        return self._language.get_input_embeddings()(ids)  # type: ignore[operator, no-any-return]

    def _log_probs(self, hidden: Tensor) -> Tensor:
        return torch.log_softmax(self._model.head(hidden).float(), dim=-1)
