"""Exact moments of a gate's gradient in the parameter space of a network: no sampling, every arm enumerated.

A sample draws an image x, uniformly from n, and an arm a ~ π(·|x); its gradient is g = weight·U·J_xᵀφ_a with
φ_a = e_a − π. With c₁ = E[weight | x, a]·U and c₂ = E[weight² | x, a]·U²

* E g = E_x[J_xᵀΣ_a π_a c₁φ_a], one backward pass a rule;
* E‖g‖² = E_xΣ_a π_a c₂ φ_aᵀ𝒦_xφ_a and E(g·u)² = E_xΣ_a π_a c₂ (φ_aᵀJ_x u)², sums over two tables that all rules
  share.

The variance E‖g‖² − ‖E g‖² (a trace) has three parts: within an image along its own true gradient, which is that of
its label's score; within an image across it, the noise that a gate removes in one context of a bandit; and between
images.

Source: this project. [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 1 is the case of one
context with its logits as parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from torch import Tensor

from kondo_theory.geometry.quality_cost import efficiency_per_backward
from kondo_theory.moments import GradientMoments
from kondo_theory.words import unhandled
from simulations.networks.image_bandits import DIRECTIONS, FloatArray, ImageBandits, Weighting
from simulations.networks.jacobians import Jacobian

__all__ = ["NetworkMoments"]


class NetworkMoments:
    """The tables that every rule's moments are sums over, made once for a policy and n images.

    Parameters
    ----------
    jacobian : Jacobian
        Of the policy at the images; its ``logits`` are the policy.
    labels : (n,) tensor of integers

    Attributes
    ----------
    bandits : ImageBandits
    products : (n, K, K) array
        φ_aᵀ𝒦_xφ_c, the inner products of the scores in parameter space.
    slopes : mapping from direction to (n, K) array
        φ_aᵀJ_x u; U times that is the value of a sample along u.

    Raises
    ------
    ValueError
        If labels and logits do not fit, or the gradient that a direction is made of is zero.
    """

    def __init__(self, jacobian: Jacobian, labels: Tensor) -> None:
        self._jacobian = jacobian
        self.bandits = ImageBandits.of(jacobian.logits, labels)
        policy = self.bandits.policy
        arms = np.eye(policy.shape[1])
        # Scores before products: e_aᵀ𝒦e_a and its like would cancel where π_a is near one.
        self.products = _numpy(jacobian.gram(self._tensor(arms[:, None, :] - policy)))
        self._across_own = _without(self.products, self.bandits.labels)
        coefficients = [self.bandits.coefficients(np.ones_like(policy)), arms[self.bandits.labels] - policy]
        self._directions: dict[str, Tensor] = {}
        self.slopes: dict[str, FloatArray] = {}
        for name, gradient in zip(DIRECTIONS, jacobian.mean_gradient(self._tensor(coefficients)), strict=True):
            length = float(gradient.norm())
            if not length > 0:
                raise ValueError(f"the mean gradient of {name} must have a direction, got length {length}")
            self._directions[name] = gradient / length
            change = _numpy(jacobian.logit_change(self._directions[name]))
            self.slopes[name] = change - np.sum(policy * change, axis=-1, keepdims=True)

    def weights(self, weighting: Weighting) -> tuple[FloatArray, FloatArray]:
        """Return E[weight | x, a] and E[weight² | x, a], each (n, K)."""
        bandits = self.bandits
        if weighting.kind == "pg":
            one = np.ones_like(bandits.policy)
            return one, one
        if weighting.kind == "dg":
            soft = expit(bandits.delight)
            return soft, soft**2
        if weighting.kind == "zero-price":
            keep = (bandits.delight > 0).astype(np.float64)
        elif weighting.kind not in ("rate", "oracle"):
            raise unhandled("kind", weighting.kind, ("pg", "dg", "zero-price", "rate", "oracle"))
        else:
            assert weighting.rate is not None  # its own constructor saw to that
            keep = bandits.kept(self._score(weighting), weighting.rate)
        return keep, keep  # a gate is drawn: it equals its square

    def table(self, weightings: Sequence[Weighting], batch_size: float = 100) -> pd.DataFrame:
        """Return the moments of every weighting, one row for each pair with a direction.

        Returns
        -------
        DataFrame
            label, kind, rule, rate, alpha, direction; then backward_rate (share of samples with a backward pass, 1
            for soft weights); signal, perpendicular_bias, var_parallel, var_perpendicular, cosine of one sample along
            and across the direction, as in :class:`kondo_theory.moments.GradientMoments`; var_own_parallel,
            var_own_perpendicular, var_between, the three parts of the variance, whatever the direction; efficiency
            at ``batch_size`` forward samples, and efficiency_per_backward at as many as cost ``batch_size``
            backward passes.

        Raises
        ------
        ValueError
            If ``batch_size`` is not above 0.
        """
        weights = [self.weights(weighting) for weighting in weightings]
        means = self._tensor([self.bandits.coefficients(first) for first, _ in weights])
        gradients = self._jacobian.mean_gradient(means)
        rows: list[dict[str, Any]] = []
        for weighting, (first, second), gradient in zip(weightings, weights, gradients, strict=True):
            rate = np.asarray(1.0 if weighting.kind in ("pg", "dg") else self.bandits.mean(first))
            parts = self._parts(first, second, float(gradient.norm()))
            for direction, unit in self._directions.items():
                bias = float((gradient - (gradient @ unit) * unit).norm())
                moments = self._moments(self.slopes[direction], first, second, bias, sum(parts.values()))
                row = _describe(weighting) | {"direction": direction, "backward_rate": float(rate)}
                row |= {name: float(value) for name, value in vars(moments).items()} | parts
                row["efficiency"] = float(moments.efficiency(batch_size))
                row["efficiency_per_backward"] = float(efficiency_per_backward(moments, rate, batch_size))
                rows.append(row)
        return pd.DataFrame(rows)

    def _score(self, weighting: Weighting) -> FloatArray:
        if weighting.kind == "oracle":
            return self.bandits.advantage * self.slopes[weighting.rule]
        parameters = {} if weighting.alpha is None else {"alpha": weighting.alpha}
        return self.bandits.score(weighting.rule, **parameters)

    def _parts(self, first: FloatArray, second: FloatArray, length: float) -> dict[str, float]:
        """Return the three parts of the variance of one sample, given ‖E g‖."""
        pi, U, labels = self.bandits.policy, self.bandits.advantage, self.bandits.labels
        moved, squares = pi * first * U, pi * second * U**2
        own, own_square = _row(self.products, labels)
        along = own / np.sqrt(own_square)[:, None]  # φ_a's component along the image's own gradient
        parallel = np.sum(squares * along**2, axis=-1) - np.sum(moved * along, axis=-1) ** 2
        across = np.einsum("na,naa->n", squares, self._across_own) - _square(self._across_own, moved)
        between = float(np.mean(_square(self.products, moved))) - length**2
        return {
            "var_own_parallel": float(np.mean(parallel)),
            "var_own_perpendicular": max(0.0, float(np.mean(across))),
            "var_between": max(0.0, between),
        }

    def _moments(
        self, slopes: FloatArray, first: FloatArray, second: FloatArray, bias: float, total: float
    ) -> GradientMoments:
        """Return the moments along and across u, given ‖E g‖ across it and the trace of the covariance."""
        value = self.bandits.advantage * slopes
        signal = self.bandits.mean(first * value)
        # About the mean, so that a variance far below the squared signal keeps its accuracy.
        parallel = self.bandits.mean((second - first**2) * value**2 + (first * value - signal) ** 2)
        size = np.hypot(signal, bias)
        fields = signal, bias, parallel, max(0.0, total - parallel), signal / size if size > 0 else np.nan
        return GradientMoments(*(np.asarray(field, dtype=np.float64) for field in fields))

    def _tensor(self, values: Any) -> Tensor:
        logits = self._jacobian.logits
        return torch.as_tensor(np.asarray(values), device=logits.device).to(logits.dtype)


def _describe(weighting: Weighting) -> dict[str, Any]:
    missing = np.nan  # a column of floats, as Parquet stores it
    return {
        "label": weighting.label,
        "kind": weighting.kind,
        "rule": weighting.rule if weighting.kind in ("rate", "oracle") else "",
        "rate": missing if weighting.rate is None else weighting.rate,
        "alpha": missing if weighting.alpha is None else weighting.alpha,
    }


def _numpy(values: Tensor) -> FloatArray:
    return np.asarray(values.detach().cpu().double().numpy(), dtype=np.float64)


def _row(products: FloatArray, arms: Any) -> tuple[FloatArray, FloatArray]:
    """Return one row of each matrix (n, K, K), as (n, K), and its diagonal entry, (n,), which is above zero."""
    images = np.arange(len(products))
    square = products[images, arms, arms]
    return products[images, arms], np.where(square > 0, square, 1.0)


def _without(products: FloatArray, arms: Any) -> FloatArray:
    """Return the inner products (n, K, K) of what is left of the scores across one arm's score (Schur complement)."""
    row, square = _row(products, arms)
    return products - row[:, :, None] * row[:, None, :] / square[:, None, None]


def _square(products: FloatArray, moved: FloatArray) -> FloatArray:
    """Return ‖Σ_a moved_a·J_xᵀφ_a‖², (n,)."""
    return np.asarray(np.einsum("na,na->n", moved, (products @ moved[:, :, None])[:, :, 0]))
