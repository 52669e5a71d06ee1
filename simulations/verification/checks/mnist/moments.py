"""Measurements of signal and noise in the parameters of the MNIST network, exact at checkpoints of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kondo_theory.screening import RULES
from simulations.mnist.decomposition import ALPHAS, KIND, RATE, measure_paths
from simulations.mnist.paths import INITIALISATION, preset_configs
from simulations.networks.image_bandits import DIRECTIONS, Weighting
from simulations.results.table_sizes import sizes_of, sizes_of_paths
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured

__all__ = ["decomposition", "decomposition_rows", "screening", "screening_rows"]

COMMON_PATH, PG_PATH = "DG-K(3 %)", "PG"
_ZERO, _DELIGHT = "zero-price", "DG-K(3 %)"
_VARIANCE, _OWN = "var_perpendicular", "var_own_perpendicular"
_GRADIENTS = {"PG": "PG's gradient", "cross-entropy": "cross-entropy's gradient"}


def decomposition(context: Context) -> list[Measured]:
    """Train, decompose the noise at every checkpoint, and return the rows of the claim ``mnist-decomposition``."""
    return _rows(context, decomposition_rows)


def screening(context: Context) -> list[Measured]:
    """Train, screen by every rule at every checkpoint, and return the rows of the claim ``mnist-screening``."""
    return _rows(context, screening_rows)


def _rows(context: Context, rows_of: Callable[[pd.DataFrame, str], list[Measured]]) -> list[Measured]:
    found = context.tables.find(KIND)
    if found is not None:
        return attributed(rows_of(found.frame, found.origin), found.source, sizes_of(found))
    table = _measured(context)
    return attributed(rows_of(table, context.source.origin), context.source, sizes_of_paths(table))


@lru_cache(maxsize=1)  # both claims are judged from one table
def _measured(context: Context) -> pd.DataFrame:
    configs = preset_configs(context.preset)
    tables: dict[int, pd.DataFrame] = {}
    for index, table in measure_paths(configs, device=context.device, workers=context.workers):
        tables[index] = table
        context.progress(f"mnist moments: path {len(tables)} of {len(configs)}")
    return pd.concat([tables[index] for index in range(len(configs))], ignore_index=True)


def decomposition_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows of ``mnist-decomposition``: each seed's worst checkpoint, then every checkpoint.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.decomposition.measure_path` makes it, several seeds and both paths joined.
    origin : str
        Where the table came from.
    """
    path = _Path(table, COMMON_PATH)
    zero, delightful = path.noise_ratio(_ZERO), path.noise_ratio("DG")
    # The noise across its own gradient that each image has in logits of its own is that of one context of a bandit.
    predicted = path.own_noise_ratio("DG", "independent")
    own_delightful = path.own_noise_ratio("DG") / predicted
    cosine = path.of("cosine", _ZERO)
    to_oracle, foreseen = (
        path.of("cosine", _ZERO, "cross-entropy", model=model) for model in ("network", "independent")
    )
    share = path.of(_OWN, "PG") / path.total("PG")
    own = _Path(table, PG_PATH)
    over = "Var_⊥(DG) / Var_⊥(PG), measured over predicted"
    worst = {
        "cosine of zero price's mean gradient with PG's, lowest": cosine.min(),
        "Var_⊥, zero price / PG, highest": zero.max(),
        f"{over}, lowest": (delightful / predicted).min(),
        f"{over}, highest": (delightful / predicted).max(),
        "cosine of zero price's mean gradient with cross-entropy's, |measured − predicted|, highest": (
            (to_oracle - foreseen).abs().max()
        ),
        "cosine of zero price's mean gradient with PG's, lowest, PG's path": own.of("cosine", _ZERO).min(),
        "Var_⊥, zero price / PG, highest, PG's path": own.noise_ratio(_ZERO).max(),
        "noise of an image across its own gradient, zero price / PG, highest": path.own_noise_ratio(_ZERO).max(),
        "noise of an image across its own gradient, DG / PG, measured over predicted, lowest": own_delightful.min(),
        "noise of an image across its own gradient, DG / PG, measured over predicted, highest": own_delightful.max(),
    }
    along = {
        "cosine of zero price's mean gradient with PG's": cosine,
        "cosine of zero price's mean gradient with cross-entropy's": to_oracle,
        "cosine of PG's mean gradient with cross-entropy's": path.of("cosine", "PG", "cross-entropy"),
        "Var_⊥, zero price / PG": zero,
        "Var_⊥, DG / PG": delightful,
        "share of PG's variance within images across their own gradient": share,
    }
    return [
        *(_row(name, values, origin) for name, values in worst.items()),
        *(row for name, frame in along.items() for row in _each_checkpoint(name, frame, origin)),
    ]


def screening_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows of ``mnist-screening``: signal per backward pass of every rule at 3 %, against delight's.

    Parameters as in :func:`decomposition_rows`.
    """
    path = _Path(table, COMMON_PATH)
    rules = {rule: Weighting("rate", RATE, rule).label for rule in RULES if rule != "delight"}
    additive = {alpha: Weighting("rate", RATE, "additive", alpha).label for alpha in ALPHAS}
    rows: list[Measured] = []
    for direction in DIRECTIONS:
        name = f"signal per backward pass along {_GRADIENTS[direction]}"
        delight = path.capture(_DELIGHT, direction)
        others = {rule: path.capture(label, direction) for rule, label in rules.items()}
        best = pd.concat(others).groupby(level=1).max()
        # Of each seed: α's ratio to delight at its worst checkpoint, (α × seeds), and the α at which that is best.
        by_alpha = pd.DataFrame(
            {alpha: (path.capture(label, direction) / delight).min() for alpha, label in additive.items()}
        ).T
        rows += [
            _row(f"{name}, delight / best other rule, lowest", (delight / best).min(), origin),
            _row(f"{name}, best single α / delight, lowest", by_alpha.max(), origin),
            _row(f"{name}, that best single α", by_alpha.idxmax(), origin),
        ]
        rows += [_row(f"{name}, {rule} / delight, lowest", (o / delight).min(), origin) for rule, o in others.items()]
        oracle = path.capture(Weighting("oracle", RATE, direction).label, direction)
        rows += _each_checkpoint(f"{name}, delight / oracle", delight / oracle, origin)
        rows += _each_checkpoint(f"{name}, best other rule / oracle", best / oracle, origin)
    return rows


class _Path:
    """Columns of the table along one path, as frames of checkpoints × seeds; NaN where a seed did not get there."""

    def __init__(self, table: pd.DataFrame, path: str) -> None:
        rows = table[table["path"] == path]
        self._groups = dict(iter(rows.groupby(["model", "label", "direction"])))

    def of(self, column: str, label: str, direction: str = "PG", model: str = "network") -> pd.DataFrame:
        rows = self._groups[(model, label, direction)]
        return rows.pivot(index="target", columns="seed", values=column)

    def noise_ratio(self, label: str) -> pd.DataFrame:
        """Return Var_⊥ over PG's, across PG's gradient."""
        return self.of(_VARIANCE, label) / self.of(_VARIANCE, "PG")

    def own_noise_ratio(self, label: str, model: str = "network") -> pd.DataFrame:
        """Return the noise within images across their own gradient, over PG's."""
        return self.of(_OWN, label, model=model) / self.of(_OWN, "PG", model=model)

    def total(self, label: str) -> pd.DataFrame:
        """Return the whole variance."""
        return self.of("var_parallel", label) + self.of(_VARIANCE, label)

    def capture(self, label: str, direction: str) -> pd.DataFrame:
        """Return the signal per backward pass."""
        return self.of("signal", label, direction) / self.of("backward_rate", label, direction)


def _each_checkpoint(name: str, frame: pd.DataFrame, origin: str) -> Iterator[Measured]:
    for target, values in frame.iterrows():
        place = "initialisation" if target == INITIALISATION else f"{100 * float(str(target)):g} % accuracy"
        yield _row(f"{name}, at {place}", values.dropna(), origin)


def _row(quantity: str, values: ArrayLike, origin: str) -> Measured:
    seeds = np.asarray(values, dtype=np.float64)
    interval = bootstrap(seeds)
    return Measured(quantity, interval.value, interval.low, interval.high, len(seeds), None, origin)
