"""The token trap: whether a gate on tokens that share an advantage stalls, at what reward, and what does not."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory.token_trap import drift, stall_point, stalling_rates
from simulations.report.explorers.grids import Curve, Explorer, Panel, Readout, Slider, evaluated, texts

__all__ = ["tokens"]

PROBABILITIES = expit(np.linspace(logit(0.002), logit(0.998), 121))
VOCABULARIES = (2, 5, 10, 100, 1000)
TOKENS = (2, 4, 10, 30, 100)
RATES = (0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
_TICKS = (0.002, 0.01, 0.1, 0.5, 0.9, 0.99)


def tokens() -> Explorer:
    """Return the explorer of the token trap."""
    sliders = [
        Slider("vocab_size", "Vocabulary, M", VOCABULARIES, 2, [f"{m:,}" for m in VOCABULARIES]),
        Slider("n_tokens", "Tokens that share an advantage, T", TOKENS, 2, [f"{t:,}" for t in TOKENS]),
        Slider("rate", "Rate of the gate, ρ", RATES, 1, [f"{100 * rho:g} %" for rho in RATES]),
    ]
    names = [slider.name for slider in sliders]
    curves = [
        Curve("token gate", "top", names, evaluated(sliders, _token, PROBABILITIES.size),
              evaluated(sliders, _stalls, 1)),
        Curve("row gate", "row", names, evaluated(sliders, _row, PROBABILITIES.size)),
    ]  # fmt: skip
    panel = Panel(
        "Drift of a right token, as a share of PG's", logit(PROBABILITIES), "probability of a right token, p",
        [(float(logit(p)), f"{p:g}") for p in _TICKS], curves,
    )  # fmt: skip
    readouts = [
        Readout("Does the token gate stall?", names, texts(sliders, _stall_said), "top"),
        Readout("Does the row gate?", [], ["no, at no rate"], "row"),
        Readout("Rates that stall", names[:2], texts(sliders[:2], _rates_said)),
        Readout("What to use", names, texts(sliders, _instead)),
    ]
    about = (
        "Answers of T tokens from a vocabulary of M, rewarded by the share of right tokens, the mean reward as the "
        "baseline, training from the uniform policy p = 1/M. Below zero the right token is unlearnt: the token gate "
        "keeps rare wrong tokens of lucky answers. The dot is where training from p = 1/M stops."
    )
    claims = ("token-trap", "row-gate", "reversal-token-trap")
    return Explorer("tokens", "Token trap", about, claims, sliders, [panel], readouts)


def _relative(gate: str, vocab_size: float, n_tokens: float, rate: float) -> NDArray[np.float64]:
    kept = drift(PROBABILITIES, n_tokens, vocab_size, rate, gate)
    return np.asarray(kept / drift(PROBABILITIES, n_tokens, vocab_size, 1.0, gate))


def _token(vocab_size: float, n_tokens: float, rate: float) -> NDArray[np.float64]:
    return _relative("token", vocab_size, n_tokens, rate)


def _row(vocab_size: float, n_tokens: float, rate: float) -> NDArray[np.float64]:
    return _relative("row", vocab_size, n_tokens, rate)


@cache
def _stall(vocab_size: float, n_tokens: float, rate: float) -> float | None:
    """Return where training stalls; the search is slow, and only some rates stall."""
    if not any(low <= rate <= high for low, high in _intervals(vocab_size, n_tokens)):
        return None
    return stall_point(rate, int(vocab_size), int(n_tokens))


@cache
def _intervals(vocab_size: float, n_tokens: float) -> tuple[tuple[float, float], ...]:
    return tuple(stalling_rates(int(vocab_size), int(n_tokens)))


def _stalls(vocab_size: float, n_tokens: float, rate: float) -> NDArray[np.float64]:
    point = _stall(vocab_size, n_tokens, rate)
    return np.array([] if point is None else [point])


def _stall_said(vocab_size: float, n_tokens: float, rate: float) -> str:
    point = _stall(vocab_size, n_tokens, rate)
    start = f"from the uniform policy, p = {1 / vocab_size:.3g}"
    return f"no: it learns {start}" if point is None else f"yes, at a mean reward of {point:.3f} {start}"


def _rates_said(vocab_size: float, n_tokens: float) -> str:
    found = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in _intervals(vocab_size, n_tokens)]
    return " and ".join(found) or "none"


def _instead(vocab_size: float, n_tokens: float, rate: float) -> str:
    if _stall(vocab_size, n_tokens, rate) is None:
        return "this gate, or whole answers, as they come out"
    said = "tokens at zero price, or at this rate whole answers (row gate): neither stalls"
    ends = [high for low, high in _intervals(vocab_size, n_tokens) if low <= rate <= high]
    return f"{said}; or more tokens than {100 * ends[0]:.0f} %" if ends and ends[0] < 0.6 else said
