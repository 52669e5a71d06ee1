"""A gate at a rate for steps that see few samples: its price is of a window of scores, not of one batch.

Of eight samples a rate of 3 % is a quarter of one; :class:`~kondo_theory.gate.Gate` rounds it up to one, 12.5 %. Here
the present batch and the scores before it are one pool, of which the top ρ is kept: pooled they are enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kondo_theory._arrays import batch, require_rate, require_temperature, uniform, widened, widest
from kondo_theory.gate import calibrated_price, gate_probability
from kondo_theory.training.display import one_line

__all__ = ["StreamedPrice", "StreamingGate"]


_PATIENCE = 4.0
"""Samples: by a debt of so many, and those of two batches, the sought share of the pool grows by a factor e.

Of exponential scores at 3 % the kept have 98 % of the mean that the exact top has; with 2 it is 97 %, with 8 99 %.
"""


@dataclass(frozen=True, eq=False, repr=False)
class StreamedPrice:
    """What a window of scores has led to for one batch.

    Attributes
    ----------
    price : (...) tensor
        λ, in units of the score.
    opening : (...) tensor
        The probability that a score that equals the price is kept; of no meaning at a temperature.
    temperature : float
        η.
    """

    price: Tensor
    opening: Tensor
    temperature: float = 0.0
    rate: None = None  # as of a gate that was given a price

    def keep(self, scores: Tensor, draw: Tensor) -> Tensor:
        """Return which samples get a backward pass, (..., B) boolean; ``draw`` are uniform numbers in [0, 1)."""
        price = self.price.unsqueeze(-1)
        if self.temperature > 0:
            probability: Tensor = gate_probability(scores, price, self.temperature, check=False)
            return draw < probability
        tied = (scores == price) & (scores > -torch.inf)
        return (scores > price) | (tied & (draw < self.opening.unsqueeze(-1)))

    def __repr__(self) -> str:
        return one_line(self, ("price", "opening", "temperature"))


class StreamingGate:
    """The top ρ of the last scores: a gate for micro-batches of which ρ·B is not whole, or below one.

    The pool is the present batch and the ``window`` valid scores before it, n in all. Kept are the samples of the
    batch among the top ρ·n of the pool. The last place may be shared: by a fraction, for ρ·n need not be whole, and
    by ties; a sample that equals the price λ then has the probability that is left. So while samples are
    exchangeable each is kept with probability ρ exactly, whatever the window holds and however many scores tie.

    A policy that learns is no such thing: it lowers the very scores that are kept, and a quantile of earlier scores
    alone kept a third to a fifth of ρ on bandits that learn. So the gate knows its debt, ρ times the valid samples
    so far less the kept ones, and takes the top ρ·e^{debt/c} of the pool, c = 4 + 2ρB, at most all of it. However the
    scores move, while enough can be kept the debt stays below c·log(1/ρ) + ρB samples: an error of the rate that
    falls as one over the number of samples. What cannot be kept is not owed beyond that.

    There is no warm-up to wait for. With an empty window the pool is the batch: of eight samples at 3 % the best is
    kept with probability 0.24. A short window has the same rate as a full one, and compares with fewer.

    Nothing here waits for a device with ``check=False``. One gate belongs to one step: it remembers what that step
    has selected from, and every selection is remembered, one that is never backpropagated too. Steps over several
    ranks refuse it.

    Parameters
    ----------
    rate : float
        ρ in (0, 1], a share of valid samples: those of zero advantage count, and what is never kept (a score of −∞)
        does. Padding and what is no number do not.
    window : int
        Scores that are remembered, at least 1: the last so many. A choice among the top of few is coarse, so have at
        least 10/ρ; of a window within which the policy changes much the older half is out of date.
    temperature : float
        η ≥ 0: above zero the gate is drawn at the price that opens ρ of the pool on average, see
        :func:`kondo_theory.gate.calibrated_price`.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """

    def __init__(self, rate: float, window: int = 1024, temperature: float = 0.0) -> None:
        self.rate, self.temperature = require_rate(rate), require_temperature(temperature)
        if isinstance(window, bool) or not isinstance(window, int) or window < 1:
            raise ValueError(f"window must be a whole number of at least 1, got {window!r}")
        self.window = window
        self._scores: Tensor | None = None  # (..., window): a ring, NaN where nothing is written yet
        self._written: Tensor | None = None  # (...) int64: scores so far
        self._debt: Tensor | None = None  # (...): ρ times these, less the kept ones

    def select(
        self, score: Tensor, rng: Any = None, *, mask: Tensor | None = None, check: bool = True
    ) -> tuple[Tensor, StreamedPrice]:
        """Return which samples get a backward pass, (..., B) boolean, by which price; and remember the batch.

        Parameters
        ----------
        score : (..., B) tensor
            −∞ is never kept and counts; batches side by side have a window each.
        rng : torch.Generator, (..., B) tensor or None
            As in :func:`kondo_theory.gate.select`: breaks ties, draws the gate at a temperature.
        mask : (..., B) boolean tensor, optional
            True where a sample is valid.
        check : bool
            Refuse NaN, and a price at a temperature that does not open its share; both wait for the device. Without
            it NaN is no sample.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As the gate's own; also if there are other batches side by side than before.
        """
        scores, valid = batch(widened(score.detach()), check, mask)
        valid = ~score.isnan() if valid is None else valid & ~score.isnan()
        window, written, debt = self._placed(scores)
        dtype = torch.promote_types(window.dtype, scores.dtype)
        window, scores = window.to(dtype), scores.to(dtype).masked_fill(~valid, -torch.inf)
        pooled = torch.cat([~window.isnan(), valid], -1)
        pool = torch.cat([window, scores], -1).masked_fill(~pooled, -torch.inf)
        due = self.rate * valid.sum(-1).to(debt.dtype)
        patience = _PATIENCE + 2 * due
        share = (self.rate * (debt / patience).exp()).clamp(max=1.0).unsqueeze(-1)
        price = self._price(pool, pooled, share, check)
        keep = price.keep(scores, uniform(scores, rng))
        most = -math.log(self.rate) * patience + due  # from there on all of the pool is sought, and paid back
        self._debt = torch.minimum(debt + due - keep.sum(-1), most)
        self._scores, self._written = _write(window, written, scores, valid)
        return keep, price

    def _price(self, pool: Tensor, pooled: Tensor, share: Tensor, check: bool) -> StreamedPrice:
        """Return the price that keeps a share, (..., 1), of a pool (..., n), −∞ where not ``pooled``."""
        if self.temperature > 0:
            price = calibrated_price(pool, share, self.temperature, check=check, mask=pooled)
            return StreamedPrice(price, torch.zeros_like(price), self.temperature)
        n_pooled = pooled.sum(-1, keepdim=True)
        places = share * n_pooled
        rank = places.floor().long().clamp(max=pool.shape[-1] - 1)  # the first that is not kept for sure
        price = pool.sort(dim=-1, descending=True).values.gather(-1, rank)
        above, tied = (pool > price).sum(-1, keepdim=True), ((pool == price) & pooled).sum(-1, keepdim=True)
        opening = (places - above) / tied.clamp(min=1)
        price = price.masked_fill(n_pooled == 0, torch.inf)
        return StreamedPrice(price.squeeze(-1), opening.squeeze(-1))

    def _placed(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return window, number written and debt, on the device of the scores; new ones for the first batch."""
        leading, device = tuple(scores.shape[:-1]), scores.device
        if self._scores is None or self._written is None or self._debt is None:
            window = scores.new_full((*leading, self.window), torch.nan)
            debt = torch.zeros(leading, dtype=widest(torch, scores), device=device)
            return window, torch.zeros(leading, dtype=torch.int64, device=device), debt
        if tuple(self._written.shape) != leading:
            before = tuple(self._written.shape)
            raise ValueError(
                f"batches side by side must stay as they are, {before} with a window each, got {leading}"
            )
        return self._scores.to(device), self._written.to(device), self._debt.to(device)

    def state_dict(self) -> dict[str, Any]:
        """Return what the gate remembers: from here a run goes on bit for bit as it would have."""
        return {"window": self.window} | {name: _copy(getattr(self, f"_{name}")) for name in _REMEMBERED}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state; its tensors may be on another device than the scores will be.

        Raises
        ------
        ValueError
            If it is not the state of a gate with this window.
        """
        names = {"window", *_REMEMBERED}
        if not isinstance(state, Mapping) or set(state) != names:
            got = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"the state of a streaming gate must have {', '.join(sorted(names))}, got {got}")
        if state["window"] != self.window:
            raise ValueError(f"the state must be of a window of {self.window} scores, got one of {state['window']}")
        scores, written, debt = (state[name] for name in _REMEMBERED)
        if not (scores is None and written is None and debt is None):
            _require_remembered(scores, written, debt, self.window)
        self._scores, self._written, self._debt = _copy(scores), _copy(written), _copy(debt)

    def __repr__(self) -> str:
        told = f", temperature={self.temperature!r}" if self.temperature else ""
        return f"{type(self).__name__}(rate={self.rate!r}, window={self.window!r}{told})"


_REMEMBERED = ("scores", "written", "debt")


def _copy(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.detach().clone()


def _write(window: Tensor, written: Tensor, scores: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ring (..., N) and the number written with the valid scores of a batch behind those before."""
    N = window.shape[-1]
    order = valid.long().cumsum(-1)  # 1 for the first valid score
    total = order[..., -1:]
    last = valid & (order > total - N)  # of more than N valid scores the earlier ones are forgotten at once
    place = torch.where(last, (written.unsqueeze(-1) + order - 1).remainder(N), N)
    ring = torch.cat([window, window[..., :1]], -1).scatter(-1, place, scores)  # place N takes what is not written
    return ring[..., :N].contiguous(), written + total.squeeze(-1)


def _require_remembered(scores: Any, written: Any, debt: Any, window: int) -> None:
    """Refuse what no gate has written, in one line."""
    kinds = [type(each).__name__ for each in (scores, written, debt)]
    if not (isinstance(scores, Tensor) and isinstance(written, Tensor) and isinstance(debt, Tensor)):
        raise ValueError(f"scores, written and debt of the state must be tensors, got {', '.join(kinds)}")
    if not scores.is_floating_point() or written.dtype != torch.int64 or not debt.is_floating_point():
        dtypes = f"{scores.dtype}, {written.dtype} and {debt.dtype}"
        raise ValueError(f"the state must have floating scores, int64 written and a floating debt, got {dtypes}")
    if scores.shape != (*written.shape, window) or debt.shape != written.shape:
        shapes = ", ".join(str(tuple(each.shape)) for each in (scores, written, debt))
        raise ValueError(f"scores, written and debt must be (..., {window}), (...) and (...), got {shapes}")
    if bool((scores.isnan().logical_not().sum(-1) != written.clamp(max=window)).any()) or bool((written < 0).any()):
        raise ValueError(
            "scores of the state must be as many numbers as were written, up to the window; they are not"
        )
    if not bool(debt.isfinite().all()):
        raise ValueError(f"debt of the state must be finite, got {float(debt[~debt.isfinite()][0])}")
