"""A batch of answers of a causal language model: tokens, and where in each row the answer stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from kondo_theory.training.agreement import version_of
from kondo_theory.training.display import one_line

__all__ = ["Answers"]

_WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Answers:
    """Rows of prompt and answer, padded to one length; L tokens each.

    The answer may stand anywhere in its row: behind a prompt that is padded on the left, before padding on the right,
    or in several turns between what others say. An answer's token is predicted by the token before it.

    What a tokenizer of Hugging Face gives, and ``generate`` returns, is taken as it is:
    ``Answers(sequences, attention_mask, answer_mask)``.

    Attributes
    ----------
    tokens : (B, L) integer tensor
        Padding may hold any number.
    attention_mask : (B, L) tensor, boolean or of 0 and 1
        True on all tokens, False on padding: one run in each row.
    answer_mask : (B, L) tensor, boolean or of 0 and 1
        True on the tokens that the policy drew. A row may have none: it is no answer then, and counts nowhere.
    log_prob : (B, L) tensor or None
        log π of each answer token given what stands before it, nats, under the policy that drew it; off the answer
        anything. None leaves it to the step to compute.
    entropy : (B, L) tensor or None
        The policy's entropy where each answer token was drawn, nats. Some screening rules need it.
    made_at : int or None
        Set by a step's own ``screen`` alone: the updates before it. Until the next one such answers must agree with
        the second forward pass; those from elsewhere, or from earlier, need not.

    Raises
    ------
    TypeError
        If one is not a tensor or its dtype does not fit.
    ValueError
        If the shapes differ, or there is no row or no token.
    """

    tokens: Tensor
    attention_mask: Tensor
    answer_mask: Tensor
    log_prob: Tensor | None = None
    entropy: Tensor | None = None
    made_at: int | None = None

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)[:5]}
        for name, value in values.items():
            if value is None and name in ("log_prob", "entropy"):
                continue
            if not isinstance(value, Tensor):
                raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
            self._require_dtype(name, value)
            if value.ndim != 2 or 0 in value.shape:
                raise ValueError(f"{name} must be (B, L), a row for each answer, got shape {tuple(value.shape)}")
            if value.shape != self.tokens.shape:
                shapes = f"{tuple(self.tokens.shape)}, got {tuple(value.shape)}"
                raise ValueError(f"{name} must have the shape of tokens, {shapes}")
            if value.device != self.tokens.device:
                raise ValueError(f"{name} must be on the device of tokens, {self.tokens.device}, got {value.device}")

    @staticmethod
    def _require_dtype(name: str, value: Tensor) -> None:
        if name in ("log_prob", "entropy"):
            if not value.is_floating_point():
                raise TypeError(f"{name} must have a real floating dtype, got {value.dtype}")
        elif value.dtype not in (_WHOLE if name != "tokens" else (torch.int32, torch.int64)):
            allowed = "int32 or int64" if name == "tokens" else "boolean or integers of 0 and 1"
            raise TypeError(f"{name} must be {allowed}, got {value.dtype}")

    @property
    def state(self) -> tuple[int | None, ...]:
        """What changes when somebody writes to the tokens or a mask through torch."""
        return tuple(map(version_of, (self.tokens, self.attention_mask, self.answer_mask)))

    @property
    def attended(self) -> Tensor:
        """``attention_mask``, boolean (B, L)."""
        return self.attention_mask.bool()

    @property
    def answered(self) -> Tensor:
        """``answer_mask``, boolean (B, L)."""
        return self.answer_mask.bool()

    @property
    def present(self) -> Tensor:
        """Which rows are answers, boolean (B,): those with an answer token."""
        return self.answered.any(1)

    def require_values(self) -> None:
        """Look at the values, which waits for the device.

        Raises
        ------
        ValueError
            If a mask is not 0 and 1, the attended tokens of a row are not one run, an answer token or the one before
            it is not attended, an attended token is negative, or a log-probability or entropy is not of its sign.
        """
        for name in ("attention_mask", "answer_mask"):
            mask = getattr(self, name)
            self._refuse((mask != 0) & (mask != 1), f"{name} must hold 0 and 1", mask)
        attended, answered = self.attended, self.answered
        before = torch.nn.functional.pad(attended[:, :-1], (1, 0))
        self._refuse(answered & ~attended, "answer_mask must lie within attention_mask, an answer token is padding")
        again = attended & ~before & (attended.cumsum(1) > 1)
        self._refuse(again, "attention_mask must be one run of tokens in each row, another begins")
        message = "each answer token needs an attended token before it, which predicts it; there is none"
        self._refuse(answered & ~before, message)
        self._refuse(attended & (self.tokens < 0), "tokens must be at least 0 where they are attended", self.tokens)
        if self.log_prob is not None:
            most = math.sqrt(torch.finfo(self.log_prob.dtype).eps)
            bad = answered & ~(self.log_prob.isfinite() & (self.log_prob <= most))
            what = "log_prob must be finite and at most 0 on answer tokens (surprisals have the other sign)"
            self._refuse(bad, what, self.log_prob)
        if self.entropy is not None:
            bad = answered & ~(self.entropy.isfinite() & (self.entropy > -1e-3))
            self._refuse(bad, "entropy must be finite and at least 0 on answer tokens", self.entropy)

    def _refuse(self, bad: Tensor, message: str, values: Tensor | None = None) -> None:
        """Refuse the first place where ``bad`` is True."""
        if not bool(bad.any()):
            return
        row, column = divmod(int(bad.flatten().int().argmax()), bad.shape[1])
        got = "" if values is None else f", got {values[row, column].item():.6g}"
        raise ValueError(f"{message}{got} (row {row}, position {column})")

    def __repr__(self) -> str:
        return one_line(self, [field.name for field in fields(self)[:5]])
