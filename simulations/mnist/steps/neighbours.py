"""Every rule and every estimate that one sample allows, in the same exact moments, on MNIST along training.

A sample's gradient g is in the network's parameters, u the direction of the true mean gradient or of cross-entropy's.
Of an estimate ĝ of B samples with the rate ρ of backward passes

* signal S = E ĝ·u, cosine = S/‖E ĝ‖, and ‖E ĝ‖ over the length of the true gradient;
* Var_∥ and Var_⊥, B times the variance of ĝ along and across u, and M = Var_∥ + Var_⊥ + ‖E ĝ‖²;
* signal per backward pass, 1/c = S²/(ρM), c the cost of signal (:mod:`kondo_theory.geometry.optimal`): one over the
  backward passes to a signal as large as the noise; and per forward pass S²/M, with backward passes for nothing.

Rules keep their top ρ (:data:`kondo_theory.screening.RULES`); estimates are those of
:data:`kondo_theory.estimators.ESTIMATORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kondo_theory.estimators import ESTIMATORS, Samples, Use
from kondo_theory.screening import SAMPLE_RULES, TOKEN_RULES
from kondo_theory.words import choice
from simulations.devices import resolve
from simulations.mnist.images import Mnist
from simulations.mnist.paths import PathConfig
from simulations.mnist.steps.policies import SIZES, path_configs, stages
from simulations.mnist.steps.writing import write_paths
from simulations.networks.image_bandits import DIRECTIONS, FloatArray, ImageBandits
from simulations.networks.jacobians import Jacobian
from simulations.networks.moments import NetworkMoments

__all__ = ["KIND", "RATES", "RULES", "measure", "measure_path", "uses", "write_table"]

KIND = "mnist-neighbours"
RATES = (0.03, 0.1)
RULES = (*SAMPLE_RULES, *TOKEN_RULES)
"""Those that score a sample by itself; the others need a group of answers, a reference policy or a history."""
_PATHS, _IMAGES = {"smoke": 1, "quick": 5, "paper": 30}, 1_000


def uses(jacobian: Jacobian, moments: NetworkMoments) -> dict[tuple[str, str, float], Use]:
    """Return what every rule and estimate does with each sample, by "rule" or "estimate", name and rate or nan."""
    bandits = moments.bandits
    square = bandits.advantage**2 * np.einsum("naa->na", moments.products)

    def inner(one: FloatArray, other: FloatArray) -> float:
        return float(_mean(jacobian, bandits, one) @ _mean(jacobian, bandits, other))

    samples = Samples(
        bandits.policy, bandits.advantage, bandits.surprisal, inner, lambda weight: bandits.mean(weight * square)
    )
    found: dict[tuple[str, str, float], Use] = {}
    for rate in RATES:
        for rule in RULES:
            keep = bandits.kept(bandits.score(rule), rate)
            found["rule", rule, rate] = Use(keep, keep, keep)
    for name, estimator in ESTIMATORS.items():
        for rate in RATES if estimator.rated else (np.nan,):
            found["estimate", name, rate] = estimator.use(samples, rate)
    return found


def measure(jacobian: Jacobian, moments: NetworkMoments) -> list[dict[str, Any]]:
    """Return the moments of every rule and estimate at one policy, a row for each pair with a direction.

    Returns
    -------
    list of dict
        what, name, rate, direction; backward_rate; signal, cosine, length, that of the true gradient being one;
        var_parallel, var_perpendicular; per_backward and per_forward, 0 without a signal along the direction.
    """
    true = float(np.linalg.norm(_mean(jacobian, moments.bandits, np.ones_like(moments.bandits.policy))))
    return [
        {"what": what, "name": name, "rate": rate, **row}
        for (what, name, rate), use in uses(jacobian, moments).items()
        for row in _rows_of(use, jacobian, moments, true)
    ]


def _rows_of(use: Use, jacobian: Jacobian, moments: NetworkMoments, true: float) -> Iterator[dict[str, Any]]:
    """Yield the moments of one estimate along each direction, given the length of the true gradient."""
    bandits = moments.bandits if use.advantage is None else replace(moments.bandits, advantage=use.advantage)
    square = bandits.advantage**2 * np.einsum("naa->na", moments.products)
    size = float(np.linalg.norm(_mean(jacobian, bandits, use.first)))
    rate, total = bandits.mean(use.passes), bandits.mean(use.second * square) - size**2
    drawn = np.zeros_like(square) if use.drawn is None else np.asarray(use.drawn, dtype=np.float64)
    n_drawn = bandits.mean(drawn * use.passes)
    if n_drawn > 0:  # draws of a fixed number: their mean is no noise
        total -= float(np.sum(_mean(jacobian, bandits, drawn * use.first) ** 2)) / n_drawn
    for direction in DIRECTIONS:
        value = bandits.advantage * moments.slopes[direction]
        signal = bandits.mean(use.first * value)
        parallel = bandits.mean(use.second * value**2) - signal**2
        if n_drawn > 0:
            parallel -= bandits.mean(drawn * use.first * value) ** 2 / n_drawn
        per_forward = signal**2 / (total + size**2) if signal > 0 else 0.0
        yield {
            "direction": direction,
            "backward_rate": rate,
            "signal": signal,
            "cosine": signal / size if size > 0 else np.nan,
            "length": size / true,
            "var_parallel": parallel,
            "var_perpendicular": max(0.0, total - parallel),
            "per_backward": per_forward / rate if rate > 0 else 0.0,
            "per_forward": per_forward,
        }


def _mean(jacobian: Jacobian, bandits: ImageBandits, weight: FloatArray) -> FloatArray:
    """Return the mean gradient, (P,), of samples with these weights, (n, K)."""
    logits = jacobian.logits
    moved = torch.as_tensor(bandits.coefficients(weight), device=logits.device).to(logits.dtype)
    return np.asarray(jacobian.mean_gradient(moved[None])[0].double().numpy(force=True))


def measure_path(config: PathConfig, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Return the moments of every rule and estimate at every policy of a path, as :func:`measure` has them."""
    return pd.DataFrame(
        stage.place | row for stage in stages(config, data, device) for row in measure(stage.network, stage.moments)
    )


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Measure along every path of a preset and write the table; paths that are done are kept.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before anything is measured.
    """
    resolved = resolve(device)
    configs = path_configs(SIZES[choice("preset", preset, SIZES)])[: _PATHS[preset]]
    configs = [replace(each, n_images=min(each.n_images, _IMAGES)) for each in configs]
    return write_paths(
        out,
        kind=KIND,
        config={"preset": preset},
        paths=configs,
        code=measure_path,
        measure=lambda path, data: measure_path(path, data, resolved),
        device=resolved,
        overwrite=overwrite,
        command=command,
        progress=progress,
    )
