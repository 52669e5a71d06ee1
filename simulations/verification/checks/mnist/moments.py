"""Measurements of signal and noise in the parameters of the MNIST network, exact at checkpoints of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kondo_theory.screening import SAMPLE_RULES
from simulations.mnist.decomposition import ALPHAS, KIND, RATE, measure_paths
from simulations.mnist.paths import INITIALISATION, preset_configs
from simulations.networks.image_bandits import DIRECTIONS, Weighting
from simulations.results.table_sizes import sizes_of, sizes_of_paths
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["decomposition", "decomposition_rows", "screening", "screening_rows"]

COMMON_PATH, PG_PATH = "DG-K(3 %)", "PG"
_ZERO, _DELIGHT = "zero-price", "DG-K(3 %)"
_VARIANCE, _OWN = "var_perpendicular", "var_own_perpendicular"
_COSINE = "cosine of zero price's mean gradient with"
_ZERO_PG, _DG_PG, _TO_TRUTH = (_ZERO, "PG"), ("DG", "PG"), (_ZERO, "cross-entropy")
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
    path, own = _Path(table, COMMON_PATH), _Path(table, PG_PATH)
    along = [
        (f"{_COSINE} PG's", path.of("cosine", _ZERO), _ZERO_PG),
        (f"{_COSINE} cross-entropy's", path.of("cosine", _ZERO, "cross-entropy"), _TO_TRUTH),
        (
            "cosine of PG's mean gradient with cross-entropy's",
            path.of("cosine", "PG", "cross-entropy"),
            ("PG", "cross-entropy"),
        ),
        ("Var_⊥, zero price / PG", path.noise_ratio(_ZERO), _ZERO_PG),
        ("Var_⊥, DG / PG", path.noise_ratio("DG"), _DG_PG),
        (
            "share of PG's variance within images across their own gradient",
            path.of(_OWN, "PG") / path.total("PG"),
            ("PG",),
        ),
    ]
    return [
        *(
            _extreme(name, end, frame, origin, _compared(pair, of))
            for name, end, frame, pair, of in _worst(path, own)
        ),
        *(row for name, frame, pair in along for row in _each_checkpoint(name, frame, origin, _compared(pair))),
    ]


def _worst(path: _Path, own: _Path) -> Iterator[tuple[str, str, pd.DataFrame, tuple[str, str], str]]:
    """Yield what the worst checkpoint judges: name, end, values, the methods compared, and on whose path."""
    # The noise across its own gradient that each image has in logits of its own is that of one context of a bandit.
    predicted = path.own_noise_ratio("DG", "independent")
    measured, of_image = path.noise_ratio("DG") / predicted, path.own_noise_ratio("DG") / predicted
    to_oracle, foreseen = (
        path.of("cosine", _ZERO, "cross-entropy", model=model) for model in ("network", "independent")
    )
    over, image = "measured over predicted", "noise of an image across its own gradient"
    cosine, variance = f"{_COSINE} PG's", "Var_⊥, zero price / PG"
    yield cosine, "lowest", path.of("cosine", _ZERO), _ZERO_PG, COMMON_PATH
    yield variance, "highest", path.noise_ratio(_ZERO), _ZERO_PG, COMMON_PATH
    for end in ("lowest", "highest"):
        yield f"Var_⊥(DG) / Var_⊥(PG), {over}", end, measured, _DG_PG, COMMON_PATH
    gap = (to_oracle - foreseen).abs()
    yield f"{_COSINE} cross-entropy's, |measured − predicted|", "highest", gap, _TO_TRUTH, COMMON_PATH
    yield cosine, "lowest", own.of("cosine", _ZERO), _ZERO_PG, PG_PATH
    yield variance, "highest", own.noise_ratio(_ZERO), _ZERO_PG, PG_PATH
    yield f"{image}, zero price / PG", "highest", path.own_noise_ratio(_ZERO), _ZERO_PG, COMMON_PATH
    for end in ("lowest", "highest"):
        yield f"{image}, DG / PG, {over}", end, of_image, _DG_PG, COMMON_PATH


def _compared(methods: Sequence[str], path: str = COMMON_PATH) -> dict[str, Value]:
    """Return whose moments they are, against whose, if any, and on whose path."""
    return {**dict(zip(("method", "against"), methods, strict=False)), **_path_point(path)}


def _path_point(path: str) -> dict[str, Value]:
    """Return the method that the path was trained by, and its rate if it has one."""
    return {{"method": "path", "ρ": "rate of the path"}[name]: value for name, value in method_of(path).items()}


def _extreme(name: str, end: str, frame: pd.DataFrame, origin: str, point: dict[str, Value]) -> Measured:
    """Return the row of each seed's lowest or highest checkpoint."""
    values = frame.min() if end == "lowest" else frame.max()
    where = ", PG's path" if point["path"] == PG_PATH else ""
    return _row(f"{name}, {end}{where}", values, origin, point | {"extreme": end})


def screening_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows of ``mnist-screening``: signal per backward pass of every rule at 3 %, against delight's.

    Parameters as in :func:`decomposition_rows`.
    """
    path = _Path(table, COMMON_PATH)
    rules = {rule: Weighting("rate", RATE, rule).label for rule in SAMPLE_RULES if rule != "delight"}
    additive = {alpha: Weighting("rate", RATE, "additive", alpha).label for alpha in ALPHAS}
    rows: list[Measured] = []
    to_best: dict[str, Value] = {"rule": "delight", "against": "best other rule"}
    of_alpha: dict[str, Value] = {"rule": "best single α", "against": "delight"}
    lowest: dict[str, Value] = {"extreme": "lowest"}
    for direction in DIRECTIONS:
        name = f"signal per backward pass along {_GRADIENTS[direction]}"
        at: dict[str, Value] = {"gradient": direction, "ρ": RATE, **_path_point(COMMON_PATH)}
        delight = path.capture(_DELIGHT, direction)
        others = {rule: path.capture(label, direction) for rule, label in rules.items()}
        best = pd.concat(others).groupby(level=1).max()
        # Of each seed: α's ratio to delight at its worst checkpoint, (α × seeds), and the α at which that is best.
        by_alpha = pd.DataFrame(
            {alpha: (path.capture(label, direction) / delight).min() for alpha, label in additive.items()}
        ).T
        rows += [
            _row(f"{name}, delight / best other rule, lowest", (delight / best).min(), origin, at | to_best | lowest),
            _row(f"{name}, best single α / delight, lowest", by_alpha.max(), origin, at | of_alpha | lowest),
            _row(f"{name}, that best single α", by_alpha.idxmax(), origin, at | of_alpha),
        ]
        rows += [
            _row(
                f"{name}, {rule} / delight, lowest",
                (other / delight).min(),
                origin,
                at | {"rule": rule, "against": "delight"} | lowest,
            )
            for rule, other in others.items()
        ]
        oracle = path.capture(Weighting("oracle", RATE, direction).label, direction)
        for rule, signal in (("delight", delight), ("best other rule", best)):
            where = at | {"rule": rule, "against": "oracle"}
            rows += _each_checkpoint(f"{name}, {rule} / oracle", signal / oracle, origin, where)
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


def _each_checkpoint(
    name: str, frame: pd.DataFrame, origin: str, parameters: Mapping[str, Value]
) -> Iterator[Measured]:
    for target, values in frame.iterrows():
        place = "initialisation" if target == INITIALISATION else f"{100 * float(str(target)):g} % accuracy"
        reached = "initialisation" if target == INITIALISATION else float(str(target))
        yield _row(f"{name}, at {place}", values.dropna(), origin, {**parameters, "accuracy": reached})


def _row(quantity: str, values: ArrayLike, origin: str, parameters: Mapping[str, Value]) -> Measured:
    seeds = np.asarray(values, dtype=np.float64)
    interval = bootstrap(seeds)
    ends = (interval.value, interval.low, interval.high)
    return Measured(quantity, *ends, len(seeds), None, origin, parameters=parameters)
