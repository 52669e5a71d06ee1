"""Answers drawn token by token with a cache of keys and values, and what drawing them has computed anyway.

A prompt is read once for all of its answers. Rows that have ended leave the batch. Beside the tokens there are their
log-probabilities and the policy's entropies, so that screening needs no pass of its own; and, on demand, the hidden
states before one of the blocks, which a frozen trunk need not compute again.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kondo_theory.training import Answers

__all__ = ["Drawn", "Prompts", "draw_answers", "encode", "line_ends"]


@dataclass(frozen=True)
class Prompts:
    """Prompts padded on the left: tokens (P, L) int64 and attended (P, L) boolean."""

    tokens: Tensor
    attended: Tensor


@dataclass(frozen=True, eq=False)
class Drawn:
    """Answers, n to each prompt side by side, (P·n, L + T).

    Attributes
    ----------
    answers : Answers
        With ``log_prob`` and ``entropy``.
    begin : int
        The column where answers begin.
    hidden : (P·n, L + T, D) tensor or None
        What went into the chosen block; anything at the last token of a row and on padding.
    """

    answers: Answers
    begin: int
    hidden: Tensor | None

    def texts(self, tokenizer: Any) -> list[str]:
        """Return what was written, without special tokens."""
        tokens, mine = (each[:, self.begin :] for each in (self.answers.tokens, self.answers.answered))
        rows = [row[kept].tolist() for row, kept in zip(tokens, mine, strict=True)]
        texts: list[str] = tokenizer.batch_decode(rows, skip_special_tokens=True)
        return texts


def encode(tokenizer: Any, prompts: list[str], device: torch.device) -> Prompts:
    """Return prompts as tokens, padded on the left; nothing is added to them."""
    rows = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    longest = max(map(len, rows))
    tokens = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=device)
    missing = torch.tensor([longest - len(row) for row in rows], device=device)
    return Prompts(tokens, torch.arange(longest, device=device) >= missing.unsqueeze(1))


def line_ends(tokenizer: Any, vocab_size: int, device: torch.device) -> Tensor:
    """Return which tokens end an answer, (V,) boolean: those with a line break in them, and the end of text."""
    texts = tokenizer.batch_decode([[token] for token in range(min(len(tokenizer), vocab_size))])
    found = [token for token, text in enumerate(texts) if "\n" in text]
    if tokenizer.eos_token_id is not None:
        found.append(tokenizer.eos_token_id)
    ends = torch.zeros(vocab_size, dtype=torch.bool, device=device)
    ends[found] = True
    return ends


@torch.no_grad()
def draw_answers(
    model: nn.Module,
    prompts: Prompts,
    *,
    answers: int,
    most_tokens: int,
    ends: Tensor,
    generator: torch.Generator | None = None,
    greedy: Tensor | None = None,
    before: nn.Module | None = None,
) -> Drawn:
    """Draw answers at temperature 1.

    Parameters
    ----------
    model : nn.Module
        A causal language model of Hugging Face.
    prompts : Prompts
    answers : int
        To each prompt.
    most_tokens : int
        Tokens of an answer, at most.
    ends : (V,) boolean tensor
        Tokens that end an answer; they belong to it.
    generator : torch.Generator, optional
        On the model's device.
    greedy : (P·n,) boolean tensor, optional
        Rows that take the most likely token.
    before : nn.Module, optional
        The block whose inputs are kept.

    Returns
    -------
    Drawn
    """
    inputs = _Inputs(before)
    with inputs:
        return _Drawing(model, prompts, answers, most_tokens, inputs).run(ends, generator, greedy)


def _cache_of(model: Any) -> tuple[Any, dict[str, Any]]:
    """Return an empty cache, which every call of the model extends, and the options that hand it over."""
    from transformers import DynamicCache

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = "cache" if "cache" in inspect.signature(inner.forward).parameters else "past_key_values"
    cache = DynamicCache()
    return cache, {name: cache, "use_cache": True}


class _Inputs:
    """Keeps the last hidden states that went into a block, while it is entered."""

    def __init__(self, block: nn.Module | None) -> None:
        self.block = block
        self.last: Tensor | None = None

    def __enter__(self) -> None:
        if self.block is not None:
            self._hook = self.block.register_forward_pre_hook(self._keep, with_kwargs=True)

    def __exit__(self, *_: object) -> None:
        if self.block is not None:
            self._hook.remove()

    def _keep(self, _: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.last = args[0] if args else options["hidden_states"]


class _Drawing:
    """The state of a batch that is being drawn; ``rows`` are those that have not ended."""

    def __init__(self, model: nn.Module, prompts: Prompts, answers: int, most_tokens: int, inputs: _Inputs) -> None:
        self.model, self.inputs = model, inputs
        self.begin = prompts.tokens.shape[1]
        self.cache, self.options = _cache_of(model)
        read = model(
            input_ids=prompts.tokens,
            attention_mask=prompts.attended.long(),
            position_ids=(prompts.attended.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=1,
            **self.options,
        )
        self.cache.batch_repeat_interleave(answers)
        self.logits: Tensor = read.logits[:, -1].repeat_interleave(answers, 0)
        n_rows, width = len(self.logits), self.begin + most_tokens
        self.rows = torch.arange(n_rows, device=prompts.tokens.device)
        self.tokens = prompts.tokens.new_zeros((n_rows, width))
        self.attended = prompts.attended.new_zeros((n_rows, width))
        self.tokens[:, : self.begin] = prompts.tokens.repeat_interleave(answers, 0)
        self.attended[:, : self.begin] = prompts.attended.repeat_interleave(answers, 0)
        exact = torch.promote_types(self.logits.dtype, torch.float32)
        self.log_prob = torch.zeros(self.tokens.shape, dtype=exact, device=self.tokens.device)
        self.entropy = torch.zeros_like(self.log_prob)
        self.hidden: Tensor | None = None
        if inputs.last is not None:
            self.hidden = inputs.last.new_zeros((n_rows, width, inputs.last.shape[-1]))
            self.hidden[:, : self.begin] = inputs.last.repeat_interleave(answers, 0)

    def run(self, ends: Tensor, generator: torch.Generator | None, greedy: Tensor | None) -> Drawn:
        column = self.begin
        while True:
            going = ~ends[self._draw(column, generator, greedy)]
            column += 1
            if column == self.tokens.shape[1] or not bool(going.any()):
                break
            if not bool(going.all()):
                left = going.nonzero().squeeze(1)
                self.rows = self.rows[left]
                self.cache.batch_select_indices(left)
            self._read(column - 1)
        mine = self.attended[:, :column].clone()
        mine[:, : self.begin] = False
        answers = Answers(
            self.tokens[:, :column],
            self.attended[:, :column],
            mine,
            log_prob=self.log_prob[:, :column],
            entropy=self.entropy[:, :column],
        )
        return Drawn(answers, self.begin, None if self.hidden is None else self.hidden[:, :column])

    def _draw(self, column: int, generator: torch.Generator | None, greedy: Tensor | None) -> Tensor:
        """Draw the next token of every row that is going on, and return these."""
        log_policy = self.logits.to(self.log_prob.dtype).log_softmax(-1)
        policy = log_policy.exp()
        token = torch.multinomial(policy, 1, generator=generator)
        if greedy is not None:
            token = torch.where(greedy[self.rows].unsqueeze(1), log_policy.argmax(-1, keepdim=True), token)
        self.tokens[self.rows, column] = token.squeeze(1)
        self.attended[self.rows, column] = True
        self.log_prob[self.rows, column] = log_policy.gather(1, token).squeeze(1)
        self.entropy[self.rows, column] = torch.special.entr(policy).sum(1)
        return token.squeeze(1)

    def _read(self, column: int) -> None:
        """Run the tokens of a column through the model."""
        attended = self.attended[self.rows, : column + 1]
        read = self.model(
            input_ids=self.tokens[self.rows, column].unsqueeze(1),
            attention_mask=attended.long(),
            position_ids=attended.sum(1, keepdim=True) - 1,
            **self.options,
        )
        self.logits = read.logits[:, -1]
        if self.hidden is not None and self.inputs.last is not None:
            self.hidden[self.rows, column] = self.inputs.last[:, 0]
