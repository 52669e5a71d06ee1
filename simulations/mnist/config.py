"""The MNIST contextual bandit: the agent sees an image, names a digit, and learns only whether it was right.

Protocol [KG §3, DG §3]: policy 784-100-100-10, ReLU; reward R = 1{digit correct}; confidence baseline
b(x) = Σ_a π(a|x)²; Adam, learning rate 1e-3, 100 images a batch, drawn with replacement; test error greedy on the
10,000 test images every 100 updates.

Every seed has its own initialisation, minibatches, actions and gate draws, and the methods share them: differences
between methods are paired by seed. This module says what a run is; :mod:`simulations.mnist.training` trains it, many
seeds side by side, and :mod:`simulations.mnist.runs` runs all methods of an experiment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kondo_theory.gate import Gate
from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.words import choice, unhandled

__all__ = [
    "METHODS",
    "PAPER_METHODS",
    "PRESETS",
    "QUALITY_METHODS",
    "MnistConfig",
    "Preset",
    "preset_configs",
    "tidy",
]

KIND = "mnist-learning-curves"

METHODS = {
    "pg": "policy gradient: every sample backpropagated with its advantage",
    "dg": "delightful policy gradient: every sample backpropagated, weighted by σ(χ/η)",
    "dg-k": "Kondo gate at a rate: the top ρ of each batch by delight; at a temperature drawn at its 1 − ρ quantile",
    "zero-price": "Kondo gate at zero price: delight > 0",
    "gate": "Kondo gate at a price and a temperature, drawn as Bernoulli(σ((χ − λ)/η))",
    "screen": "a screening rule at a rate: the top ρ of each batch by the rule's score",
    "cross-entropy": "supervised oracle: the gradient of the cross-entropy to the true label",
}

_NEEDS = {"rate": ("dg-k", "screen"), "price": ("gate",), "rule": ("screen",)}
_TAKES = _NEEDS | {"temperature": ("gate", "dg", "dg-k"), "alpha": ("screen",)}
DTYPES = ("float32", "float64", "bfloat16")


@dataclass(frozen=True)
class Preset:
    """Sizes of the experiment: updates per run, and how many seeds."""

    updates: int
    seeds: int


PRESETS = {"smoke": Preset(100, 2), "quick": Preset(3_000, 10), "paper": Preset(10_000, 30)}


@dataclass(frozen=True)
class MnistConfig:
    """One run: a method with its settings, the protocol's constants, and a seed.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    rate : float or None
        ρ in (0, 1] for ``dg-k`` and ``screen``, None for every other method.
    price, temperature : float or None
        λ and η for ``gate``; η for ``dg`` (1 if not given) and ``dg-k`` (0: exactly the top ρ; above that the gate
        is drawn at the batch's 1 − ρ quantile, as [KG] Algorithm 1 has it, and keeps another share).
    rule : str or None
        For ``screen``, the name of a score in :data:`kondo_theory.screening.SAMPLE_RULES`.
    alpha : float or None
        For the rule ``additive``, α in [0, 1] (1/2 if not given).
    seed : int
        Seed of every random stream of the run.
    updates, batch_size, eval_every : int
        Optimizer steps, images a step, and steps between evaluations.
    learning_rate : float
        Adam's.
    hidden : tuple of int
        Widths of the hidden layers.
    dtype : str
        Of parameters and pixels: float32, float64 or bfloat16; policies are computed in float32 at least.

    Raises
    ------
    ValueError
        If a value is outside its range or does not belong to the method; the message names it.
    """

    method: str
    rate: float | None = None
    price: float | None = None
    temperature: float | None = None
    rule: str | None = None
    alpha: float | None = None
    seed: int = 0
    updates: int = 10_000
    batch_size: int = 100
    learning_rate: float = 1e-3
    eval_every: int = 100
    hidden: tuple[int, ...] = (100, 100)
    dtype: str = "float32"

    def __post_init__(self) -> None:
        choice("method", self.method, METHODS)
        self._require_own_settings()
        self._require_numbers()
        self.gate  # refuses a rate, price or temperature out of range  # noqa: B018

    def _require_own_settings(self) -> None:
        for name, methods in _TAKES.items():
            value = getattr(self, name)
            if value is not None and self.method not in methods:
                raise ValueError(f"{name} belongs to {' and '.join(methods)}, got {value} with method {self.method}")
            if value is None and self.method in _NEEDS.get(name, ()):
                raise ValueError(f"method {self.method} needs a {name}, got none")
        if self.rule is not None:
            choice("rule", self.rule, SAMPLE_RULES)
        if self.alpha is not None and self.rule != "additive":
            raise ValueError(f"alpha belongs to the rule additive, got {self.alpha} with rule {self.rule}")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature must be finite and at least 0, got {self.temperature}")
        if self.method == "dg" and self.temperature == 0:
            raise ValueError(f"the temperature of dg must be above 0, got {self.temperature}")

    def _require_numbers(self) -> None:
        for name, lowest in (("updates", 1), ("batch_size", 1), ("eval_every", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < lowest:
                raise ValueError(f"{name} must be at least {lowest} and whole, got {value}")
        if not all(isinstance(width, int) and width > 0 for width in self.hidden):
            raise ValueError(f"hidden must be positive widths, got {self.hidden}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        choice("dtype", self.dtype, DTYPES)

    @property
    def gate(self) -> Gate | None:
        """The gate of the method; None where every sample is backpropagated."""
        if self.rate is not None:
            return Gate(rate=self.rate, temperature=self.temperature or 0.0, calibrated=not self.temperature)
        if self.method == "zero-price":
            return Gate(price=0.0)
        if self.method == "gate":
            return Gate(price=self.price, temperature=self.temperature or 0.0)
        if self.method in ("pg", "dg", "cross-entropy"):
            return None
        raise unhandled("method", self.method, ("pg", "dg", "dg-k", "zero-price", "gate", "screen", "cross-entropy"))

    @property
    def label(self) -> str:
        """The method's name in tables and figures, e.g. ``DG-K(3 %)``."""
        if self.rate is not None:
            alpha = "" if self.alpha is None else f", α={self.alpha:g}"
            soft = f", η={self.temperature:g}" if self.temperature else ""
            return f"{'DG-K' if self.rule is None else self.rule}({100 * self.rate:g} %{alpha}{soft})"
        if self.method == "gate":
            return f"gate(λ={self.price:g}, η={self.temperature or 0.0:g})"
        if self.method == "dg" and self.temperature not in (None, 1.0):
            return f"DG(η={self.temperature:g})"
        return {"pg": "PG", "dg": "DG"}.get(self.method, self.method)

    def streams(self) -> dict[str, int]:
        """Return one 63-bit seed for each random stream, the same for every method."""
        names = ("initialisation", "minibatches", "actions", "gate", "screener")
        children = np.random.SeedSequence(self.seed).spawn(len(names))
        return {
            name: int(child.generate_state(1, np.uint64)[0] >> 1) for name, child in zip(names, children, strict=True)
        }


QUALITY_METHODS = (
    MnistConfig("pg"),
    MnistConfig("dg"),
    MnistConfig("dg-k", rate=0.03),
    MnistConfig("zero-price"),
    MnistConfig("cross-entropy"),
)
"""The methods that the claim ``mnist-quality`` compares."""

PAPER_METHODS = (
    MnistConfig("pg"),
    MnistConfig("dg"),
    *(MnistConfig("dg-k", rate=rate) for rate in (0.01, 0.03, 0.1, 0.3)),
    MnistConfig("zero-price"),
    MnistConfig("cross-entropy"),
)
"""The methods of the published figure, with every rate."""


def tidy(configs: Sequence[MnistConfig], curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the curves into one table with the configuration of each run in front, in the order of ``configs``."""
    frames = []
    for config, curve in zip(configs, curves, strict=True):
        columns = asdict(config) | {"hidden": "-".join(map(str, config.hidden)), "rule": config.rule or ""}
        nullable = {key: math.nan if value is None else value for key, value in columns.items()}
        frames.append(curve.assign(label=config.label, **nullable)[["label", *nullable, *curve.columns]])
    return pd.concat(frames, ignore_index=True)


def preset_configs(
    preset: str, methods: Sequence[MnistConfig], seeds: Sequence[int] | None = None, **changes: Any
) -> list[MnistConfig]:
    """Return every method at every seed, at the preset's sizes unless ``changes`` says otherwise."""
    size = PRESETS[choice("preset", preset, PRESETS)]
    chosen = range(size.seeds) if seeds is None else seeds
    return [
        replace(method, **({"updates": size.updates} | changes), seed=seed) for method in methods for seed in chosen
    ]
