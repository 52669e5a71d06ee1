"""Which prompts of a batch are easy, and how noisy the rewards of answers are.

An easy prompt is all zeros; its answer is all zeros, which any policy learns quickly. Noise is Gaussian, one draw an
answer, added to its reward: it says nothing of the answer. The knobs are those of the released code of [KG].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["ZERO_ANSWERS", "Payment", "luck_stream"]

_LUCK = 1_000  # far from the streams of a run and of its friction, which are the first children of the seed
ZERO_ANSWERS = 10
"""An evaluation asks the zero prompt once for so many fresh prompts."""


@dataclass(frozen=True)
class Payment:
    """The prompts and the noise of a run; the default is the protocol's.

    Attributes
    ----------
    zero_prompts : int
        The first of a batch's prompts that are all zeros.
    zero_noise : float
        σ of the rewards of their answers, where 1 is the reward of a perfect answer.
    noise : float
        σ of the rewards of all answers.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range, there is no prompt for the noise, or both noises are given.
    """

    zero_prompts: int = 0
    zero_noise: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.zero_prompts, int):
            raise TypeError(f"zero_prompts must be an integer, got {self.zero_prompts!r}")
        if self.zero_prompts < 0:
            raise ValueError(f"zero_prompts must be at least 0, got {self.zero_prompts}")
        for name in ("zero_noise", "noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and at least 0, got {getattr(self, name)}")
        if self.zero_noise and not self.zero_prompts:
            raise ValueError(f"zero_noise belongs to zero prompts, got {self.zero_noise} without any")
        if self.zero_noise and self.noise:
            raise ValueError(f"zero_noise and noise exclude each other, got {self.zero_noise} and {self.noise}")

    @property
    def noisy(self) -> bool:
        """Whether any reward is noisy."""
        return self.zero_noise > 0 or self.noise > 0

    @property
    def words(self) -> tuple[str, ...]:
        """What is not the protocol's, for labels."""
        said = (
            (self.zero_prompts, f"{self.zero_prompts} zero prompts"),
            (self.zero_noise, f"zero noise {self.zero_noise:g}"),
            (self.noise, f"noise {self.noise:g}"),
        )
        return tuple(words for value, words in said if value)

    def asked(self, prompts: Tensor) -> Tensor:
        """Return prompts (..., P, H), the first of them all zeros."""
        if not self.zero_prompts:
            return prompts
        asked = prompts.clone()
        asked[..., : self.zero_prompts, :] = 0
        return asked

    def luck(self, generators: Sequence[torch.Generator], n_prompts: int, n_answers: int) -> Tensor:
        """Return the noise of the answers to P prompts, n to each, (S·P·n,): of each seed from its own generator."""
        each = [
            torch.randn(n_prompts, n_answers, generator=generator, device=generator.device)
            for generator in generators
        ]
        drawn = torch.stack(each)  # (S, P, n)
        if self.noise:
            return self.noise * drawn.flatten()
        drawn[:, self.zero_prompts :] = 0
        return self.zero_noise * drawn.flatten()

    def paid(
        self, point: Tensor, length: int, generators: Sequence[torch.Generator], n_answers: int, dtype: torch.dtype
    ) -> Tensor:
        """Return what answers are paid, in points: a copy of ``point`` (S·P·n,) if nothing is noisy."""
        if not self.noisy:
            return point
        n_prompts = len(point) // len(generators) // n_answers
        return point.to(dtype) + length * self.luck(generators, n_prompts, n_answers).to(dtype)

    def kept_of_zeros(self, keep: Tensor, n_prompts: int) -> Tensor:
        """Return how many of the kept tokens, (..., P·n, T), answer zero prompts, (...)."""
        by_prompt = keep.unflatten(-2, (n_prompts, -1))  # (..., P, n, T)
        return by_prompt[..., : self.zero_prompts, :, :].sum((-3, -2, -1))


def luck_stream(seed: int) -> int:
    """Return the 63-bit seed of the noise of a run."""
    return int(np.random.SeedSequence(seed, spawn_key=(_LUCK,)).generate_state(1, np.uint64)[0] >> 1)
