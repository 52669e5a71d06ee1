"""Which gate to put on answers that are rewarded as a whole: what stalls, where, what to use, what it saves.

A front to :mod:`kondo_theory.token_trap` and :mod:`kondo_theory.cost`: the mean field of the claims token-trap,
row-gate, token-dg, token-screening and step-cost, asked for one setting. Source: this project.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from textwrap import wrap
from typing import Any

import numpy as np
from scipy.special import bdtrc

from kondo_theory import _domain
from kondo_theory.cost import step_cost, token_share
from kondo_theory.token_trap import stall_point
from kondo_theory.token_trap.groups import group_stall_point
from kondo_theory.token_trap.rows import require_sizes
from kondo_theory.token_trap.searching import require_start
from kondo_theory.words import one_line

__all__ = ["ASSUMPTIONS", "Advice", "Option", "advise"]

ASSUMPTIONS = {
    "share": "the reward of an answer is the share of its tokens that are right; where only wholly right answers are "
    "paid, and one answer is right, no gate on tokens by delight stalls",
    "independent": "tokens are right independently of each other, all with the same probability, and the wrong mass "
    "is spread evenly: a policy whose tokens depend on one another breaks the guarantees for whole answers",
    "large": "the batch is large: the noise of hundreds of answers leaks out of a shallow stall, not of a deep one",
    "mean": "the baseline is the exact mean reward; with the mean of a group of answers give the group's size",
    "group": "the baseline is the mean of the group's answers, which are drawn independently for one prompt",
    "causal": "a step's cost is counted in positions of a causal model: of an answer what stands up to its last kept "
    "token, tokens kept by delight spread independently, and the prompt once an answer",
}
"""What the statements rest on, by a short name."""

_WIDTH = 118  # of the text


@dataclass(frozen=True)
class Option:
    """One gate in the setting.

    Attributes
    ----------
    gate : str
    stalls_at : float or None
        The reward at which training stops; None if the drift is positive from the start on.
    cost : float
        A step's training over that of the full step, in forward passes.
    claims : tuple of str
        Whose theory this is: ``kondo verify --claim ID``.
    remark : str
    """

    gate: str
    stalls_at: float | None
    cost: float
    claims: tuple[str, ...]
    remark: str = ""


@dataclass(frozen=True, repr=False)
class Advice:
    """What :func:`advise` says; ``str`` of it is the text that ``kondo advise`` prints.

    Attributes
    ----------
    vocab_size, n_tokens, group_size, rate, start, backward_cost, screening_cost, prompt_tokens
        The setting, as given; ``start`` is the reward at the start.
    options : tuple of Option
    recommended : Option
    rests_on : tuple of str
        The assumptions of all this.
    """

    vocab_size: int
    n_tokens: int
    group_size: int | None
    rate: float
    start: float
    backward_cost: float
    screening_cost: float
    prompt_tokens: int
    options: tuple[Option, ...]
    recommended: Option
    rests_on: tuple[str, ...]

    @property
    def stalls(self) -> bool:
        """Whether the published gate, the top rate of the tokens by delight, stalls here."""
        return self.options[0].stalls_at is not None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"stalls": self.stalls}

    def __repr__(self) -> str:
        return one_line(self, stalls=self.stalls, recommended=self.recommended.gate)

    def __str__(self) -> str:
        baseline = "the exact mean" if self.group_size is None else f"the mean of {self.group_size:,} answers"
        lines = [
            f"Answers of {self.n_tokens:,} tokens from {self.vocab_size:,}, baseline {baseline}, from a reward of "
            f"{self.start:.4g}; {self.rate:.3g} of the batch is kept;",
            f"a backward pass costs {self.backward_cost:g} forward passes, screening {self.screening_cost:g}.",
            "",
            f"{'gate':34} {'does training stall?':26} {'cost of a step':>14}  claim",
        ]
        lines += [self._line(option) for option in self.options]
        lines += ["", *wrap(f"Use: {self.recommended.gate}. {self.recommended.remark}", _WIDTH), "", "This rests on:"]
        for name in self.rests_on:
            lines += wrap(ASSUMPTIONS[name], _WIDTH, initial_indent="* ", subsequent_indent="  ")
        return "\n".join(lines)

    def _line(self, option: Option) -> str:
        if option.stalls_at is None:
            stall = "no"
        else:
            stall = f"{'falls back to' if option.stalls_at < self.start else 'at a reward of'} {option.stalls_at:.3g}"
        return f"{option.gate:34} {stall:26} {option.cost:14.3f}  {', '.join(option.claims)}"


def advise(
    vocab_size: int,
    n_tokens: int,
    *,
    rate: float = 0.03,
    group_size: int | None = None,
    start: float | None = None,
    backward_cost: float = 2.0,
    screening_cost: float = 0.0,
    prompt_tokens: int = 0,
) -> Advice:
    """Say which gate to use on answers that are rewarded as a whole, and what each would do.

    Parameters
    ----------
    vocab_size, n_tokens : int
        M ≥ 2, and T ≥ 1 tokens an answer.
    rate : float
        ρ in (0, 1], the share of the batch to be kept.
    group_size : int, optional
        S ≥ 2 answers a prompt, whose mean is the baseline; by default the exact mean.
    start : float, optional
        The share of tokens that is right when training starts, in [1/M, 1): of a pretrained policy, its reward. By
        default 1/M, the uniform policy's.
    backward_cost : float
        c ≥ 0, a backward pass in forward passes.
    screening_cost : float
        s ≥ 0 in forward passes: 0 where the sampler's log-probabilities are used again, 1 for a pass of its own.
    prompt_tokens : int
        H ≥ 0, which every answer that is processed needs.

    Returns
    -------
    Advice

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    p = require_start(start, M)
    rho = float(_domain.interval("rate", rate, 0, 1, "(]"))
    H = _domain.integer("prompt_tokens", prompt_tokens, 0)

    def stall(gate: str, rule: str) -> float | None:
        if group_size is None:
            return stall_point(rho, M, T, gate, rule=rule, start=p)
        return group_stall_point(rho, M, T, group_size, gate, rule, start=p)

    def cost(share: float) -> float:
        steps = step_cost(share, backward_cost, screening_cost=screening_cost)
        return float(steps / step_cost(1.0, backward_cost, "full"))

    of_tokens, of_rows = cost(float(token_share(rho, T, H))), cost(rho)
    hot = stall_point(None, M, T, "dg", 1.0, start=p)
    lucky = float(bdtrc(np.floor(T * p), T, p))  # the answers with A > 0
    published = Option("top tokens by delight", stall("token", "delight"), of_tokens, ("token-trap",))
    safe = Option("whole answers by |advantage|", None, of_rows, ("row-gate", "token-screening"))
    options = (
        published,
        Option("top tokens by |advantage|", None, of_rows, ("token-screening",), "Tokens of one answer tie."),
        Option("whole answers by delight", stall("row", "delight"), of_rows, ("row-gate",)),
        safe,
        Option("tokens at zero price", None, cost(lucky), ("row-gate",), "Keeps about half of the answers whole."),
        Option("DG, every token weighted, η = 1", hot, 1.0, ("token-dg",), "Skips nothing."),
    )
    needs = ("share", "independent", "large", "mean" if group_size is None else "group", "causal")
    setting = (M, T, group_size, rho, p, float(backward_cost), float(screening_cost), H)
    return Advice(*setting, options, _recommended(published, safe, T, rho), needs)


def _recommended(published: Option, safe: Option, T: int, rate: float) -> Option:
    """Return the published gate for answers of one token, which cannot stall, and else the safe one."""
    least = math.ceil(1 / rate)
    if T == 1:
        remark = f"An answer of one token cannot stall. A batch needs at least {least:,} answers for this rate."
        return Option("top answers by delight", None, published.cost, ("zero-price-geometry", "token-trap"), remark)
    remark = (
        f"It does not stall, and a step costs {safe.cost:.3g} of the full one. A batch needs at least {least:,} "
        "answers for this rate; answers of zero advantage are never worth a backward pass."
    )
    return replace(safe, remark=remark)
