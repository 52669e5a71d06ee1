"""Gambling: noise on one bad arm, and the share that it keeps for good under each gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory.gambling import CRITICAL_NOISE_RATIO, drift, fixed_point
from kondo_theory.gambling.top_rate import top_rate_drift, top_rate_points
from simulations.report.explorers.grids import Curve, Explorer, Panel, Readout, Slider, evaluated, texts

__all__ = ["gambling"]

Function = Callable[..., NDArray[np.float64]]

SHARES = expit(np.linspace(logit(0.001), logit(0.999), 61))
NOISE_RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.2, 1.5, 2.0, 2.4, 2.6, 3.0, 4.0)
TEMPERATURES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
RATES = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_MOST_RESTS = 4


def gambling() -> Explorer:
    """Return the explorer of the gamble."""
    noise = Slider("noise_ratio", "Noise over gap, r = σ/Δ", NOISE_RATIOS, 6, [f"{r:g}" for r in NOISE_RATIOS])
    temperature = Slider("temperature", "Temperature of DG, η", TEMPERATURES, 5, [f"{eta:g}" for eta in TEMPERATURES])
    rate = Slider("rate", "Rate of the gate, ρ", RATES, 2, [f"{100 * rho:g} %" for rho in RATES])
    curves = [
        _curve("zero price", "zero-price", [noise], _zero_price, _zero_price_rests),
        _curve("DG at η", "dg", [noise, temperature], _dg, _dg_rests),
        _curve("top ρ by delight", "top", [noise, rate], _top, _top_rests),
        Curve("PG", "pg", (), np.ones(SHARES.size)),
    ]
    panel = Panel(
        "Drift towards the good arm, in units of the gap Δ", logit(SHARES), "probability of the gambling arm, x",
        [(float(logit(x)), f"{x:g}") for x in _TICKS], curves,
    )  # fmt: skip
    readouts = [
        Readout("zero price", ["noise_ratio"], texts([noise], _zero_price_said), "zero-price"),
        Readout("DG at η", ["noise_ratio", "temperature"], texts([noise, temperature], _dg_said), "dg"),
        Readout("top ρ by delight", ["noise_ratio", "rate"], texts([noise, rate], _top_said), "top"),
        Readout("PG", [], ["the good arm wins from everywhere"], "pg"),
    ]
    about = (
        "Two arms: a safe one, and one that pays Δ less on average but with noise of deviation σ. A gate that keeps "
        "what turned out well keeps the gamble's luck. Below zero the gambling arm grows; dots are where it ends."
    )
    claims = ("gambling-fixed-point", "gambling-dg-floor", "gambling-top-rate")
    return Explorer("gambling", "Gambling", about, claims, [noise, temperature, rate], [panel], readouts)


def _curve(label: str, tone: str, sliders: list[Slider], speed: Function, rests: Function) -> Curve:
    names = [slider.name for slider in sliders]
    values = evaluated(sliders, speed, SHARES.size)
    return Curve(label, tone, names, values, evaluated(sliders, rests, _MOST_RESTS))


def _zero_price(noise_ratio: float) -> NDArray[np.float64]:
    return drift(SHARES, noise_ratio)


def _dg(noise_ratio: float, temperature: float) -> NDArray[np.float64]:
    return drift(SHARES, noise_ratio, "dg", temperature)


def _top(noise_ratio: float, rate: float) -> NDArray[np.float64]:
    return top_rate_drift(SHARES, noise_ratio, rate)


def _rests(point: float | None) -> NDArray[np.float64]:
    return np.array([] if point is None else [point])


def _zero_price_rests(noise_ratio: float) -> NDArray[np.float64]:
    return _rests(fixed_point(noise_ratio))


def _dg_rests(noise_ratio: float, temperature: float) -> NDArray[np.float64]:
    return _rests(fixed_point(noise_ratio, "dg", temperature))


def _top_rests(noise_ratio: float, rate: float) -> NDArray[np.float64]:
    return np.array([point.x for point in top_rate_points(noise_ratio, rate) if point.stable])


def _share(x: float) -> str:
    return f"{x:.3f}" if x >= 0.001 else f"{x:.0e}".replace("e-0", "e-")


def _zero_price_said(noise_ratio: float) -> str:
    point = fixed_point(noise_ratio)
    if point is None:
        return f"the gambling arm takes all: r is above √(2π) = {CRITICAL_NOISE_RATIO:.2f}"
    return f"the gambling arm keeps {_share(point)}"


def _dg_said(noise_ratio: float, temperature: float) -> str:
    point = fixed_point(noise_ratio, "dg", temperature)
    return "the good arm wins from everywhere" if point is None else f"the gambling arm keeps {_share(point)}"


def _top_said(noise_ratio: float, rate: float) -> str:
    points = top_rate_points(noise_ratio, rate)
    if not points:
        return "the gambling arm takes all"
    said = "the gambling arm keeps " + " or ".join(_share(point.x) for point in points if point.stable)
    turns = [_share(point.x) for point in points if not point.stable]
    if not points[-1].stable:
        said += f"; from above {turns[-1]} it takes all"
    elif turns:
        said += f", by where it starts: they part at {' and '.join(turns)}"
    return said
