"""Simulations of the claims ``step-cost`` and ``approximate-delight``: counted passes, and gates on noisy delight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy import integrate

from kondo_theory import approximate, cost
from kondo_theory.gate import kept_count, select
from simulations.bandits import kernels as bandit_kernels
from simulations.bandits.estimates import jackknife
from simulations.bandits.noisy_delight import noisy_batches
from simulations.bandits.simulation import Estimate
from simulations.tokens.keeps import Keeps, keep_patterns, surviving
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["approximate_delight", "step_cost"]

FloatArray = NDArray[np.float64]

ROWS = {"smoke": 3_000, "quick": 8_000, "paper": 100_000}  # of tokens, a replicate
REPLICATES = 40
TOKEN_GRID = [(rate, T, "row", 0.0) for rate, T in ((0.03, 10), (0.3, 4), (0.01, 100))]  # ρ, T, clustering, r
TOKEN_GRID += [(rate, T, "row", 0.2) for rate, T in ((0.03, 10), (0.3, 4), (0.01, 100))]
TOKEN_GRID += [(rate, T, "run", 0.5) for rate, T in ((0.03, 10), (0.3, 4), (0.01, 100))]
TOKEN_GRID += [(0.3, 4, "row", 1.0), (0.3, 4, "run", 1.0)]
N_BATCHES = {"smoke": 150, "quick": 600, "paper": 5_000}
BATCH_SIZE = 100
ZERO_RESOLUTION = 1e-9  # of decisions that are claimed never to change


def _generators(seed: int, n: int = REPLICATES) -> list[np.random.Generator]:
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n)]


def _row(
    quantity: str, predicted: float, found: Estimate, resolution: float = 0.0, *, at: Mapping[str, Value]
) -> Simulated:
    return Simulated(quantity, float(predicted), found.value, found.standard_error, resolution, at)


def step_cost(context: Context, formulas: ModuleType = cost) -> list[Simulated]:
    """Count passes, surviving rows and prefixes, and compare with the formulas of :mod:`kondo_theory.cost`.

    ``formulas`` is a parameter so that wrong ones can be shown to fail.
    """
    rows = list(_batch_rows(context, formulas))
    for index, (rate, n_tokens, clustering, r) in enumerate(TOKEN_GRID):
        generators, size = _generators(71_000 + index), ROWS[context.preset]
        counts = [surviving(keep_patterns(each, size, n_tokens, rate, r, clustering)) for each in generators]
        survived, prefix = (Estimate.of(column) for column in np.array(counts).T)
        point = f"ρ={rate:g}, T={n_tokens}, {clustering} correlation {r:g}"
        at: dict[str, Value] = {"ρ": rate, "T": n_tokens, "clustering": clustering, "correlation": r}
        predicted = [f(rate, n_tokens, r, clustering) for f in (formulas.surviving_rows, formulas.expected_prefix)]
        rows.append(_row(f"rows at {point}", predicted[0], survived, at=at))
        rows.append(_row(f"prefix at {point}", predicted[1], prefix, at=at))
    rows.extend(_shared_advantage_rows(context, formulas))
    rows.append(_exact_row(context, formulas))
    return rows


def _shared_advantage_rows(context: Context, formulas: ModuleType) -> Iterator[Simulated]:
    """Yield survival when tokens share an advantage U ~ U(−1, 1) and are kept iff Uℓ > λ, ℓ exponential.

    The exact survival is an integral over U; the row demands that it lies below that of independent keeps.
    """
    price, n_tokens = 1.0, 10

    def kept(u: float) -> float:
        return float(np.exp(-price / u))

    rate = integrate.quad(lambda u: kept(u) / 2, 0, 1, epsabs=1e-13)[0]
    exact = integrate.quad(lambda u: (1 - (1 - kept(u)) ** n_tokens) / 2, 0, 1, epsabs=1e-13)[0]
    found = []
    for generator in _generators(72_000):
        advantage = generator.uniform(-1, 1, (ROWS[context.preset], 1))
        keeps = advantage * generator.exponential(size=(len(advantage), n_tokens)) > price
        found.append((float(keeps.mean()), surviving(keeps)[0]))
    table = np.array(found)
    at: dict[str, Value] = {"T": n_tokens, "λ": price, "clustering": "shared advantage"}
    yield _row("rate of tokens that share an advantage", rate, Estimate.of(table[:, 0]), at=at)
    yield _row("rows of tokens that share an advantage", exact, Estimate.of(table[:, 1]), at=at)
    fewer = (table[:, 1] < formulas.surviving_rows(rate, n_tokens)).astype(float)
    at["against"] = "independent keeps"
    yield _row("fewer rows than with independent keeps", 1.0, Estimate.of(fewer), at=at)


def _exact_row(context: Context, formulas: ModuleType) -> Simulated:
    """Return survival under exactly-k selection over few rows, where keeps repel each other."""
    n_rows, n_tokens, n_kept = 4, 3, 4
    found = []
    for generator in _generators(73_000):
        scores = generator.random((ROWS[context.preset], n_rows * n_tokens))
        keeps = select(scores, n_kept / (n_rows * n_tokens), generator).reshape(-1, n_tokens)
        found.append(surviving(keeps)[0])
    predicted = formulas.surviving_rows_exact(n_rows, n_tokens, n_kept)
    at: dict[str, Value] = {"k": n_kept, "tokens": n_rows * n_tokens, "T": n_tokens, "clustering": "exact k"}
    return _row("rows under exactly-k selection, 4 of 12 tokens", predicted, Estimate.of(np.array(found)), at=at)


def _batch_rows(context: Context, formulas: ModuleType) -> Iterator[Simulated]:
    """Yield counted costs of a step per sample: zero price in one context, and exactly-k with its least k of one."""
    p, n_arms, baseline, backward, batch = 0.1, 10, 0.5, 2.0, 100
    gates = {
        "zero price": p,
        "rate 3 %": kept_count(0.03, batch) / batch,
        "rate 0.1 %": kept_count(0.001, batch) / batch,
    }
    asked: dict[str, dict[str, Value]] = {
        "zero price": {"gate": "price", "λ": 0.0},
        "rate 3 %": {"gate": "exact k", "ρ": 0.03},
        "rate 0.1 %": {"gate": "exact k", "ρ": 0.001},
    }
    counts: dict[str, list[float]] = {name: [] for name in gates}
    for generator in _generators(70_000):
        correct = generator.random((ROWS[context.preset] // 10, batch)) < p
        surprisal = np.where(correct, -np.log(p), -np.log((1 - p) / (n_arms - 1)))
        delight = np.where(correct, 1 - baseline, -baseline) * surprisal
        counts["zero price"].append(float((delight > 0).mean()))
        counts["rate 3 %"].append(float(select(delight, 0.03, generator).mean()))
        counts["rate 0.1 %"].append(float(select(delight, 0.001, generator).mean()))
    for name, rate in gates.items():
        kept = np.array(counts[name])
        for accounting, counted in (
            ("logical", 1 + kept * backward),  # every sample forward, kept ones backward
            ("physical", 1 + kept + kept * backward),  # every sample screened, kept ones forward again and backward
        ):
            predicted = formulas.step_cost(rate, backward, accounting)
            at: dict[str, Value] = {"accounting": accounting, "B": batch, "c": backward, **asked[name]}
            quantity = f"{accounting} cost of {name}, B={batch}, c={backward:g}"
            yield _row(quantity, predicted, Estimate.of(counted), at=at)


def approximate_delight(context: Context, formulas: ModuleType = approximate) -> list[Simulated]:
    """Add noise to sampled delights and measure signal, noise, rate, cosine and recall.

    ``formulas`` is a parameter so that wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    seed = 80_000
    for p, n_arms, baseline in ((0.1, 20, 0.5), (0.6, 3, 0.3)):
        for kind, noise, price in (
            ("additive", 0.7, 0.0),
            ("additive", 3.0, 0.0),
            ("relative", 0.7, 0.0),
            ("additive", 1.0, 0.1),
        ):
            seed += 1
            rows.extend(_moment_rows(p, n_arms, baseline, kind, noise, price, formulas, seed, context))
    rows.extend(_zero_baseline_rows(formulas, context))
    for error in (0.5, 0.99):
        seed += 1
        differing = _noisy(0.3, 5, 0.4, 0.0, error, "bounded", seed, context)[1]
        name = f"changed decisions at zero price, relative error below {error:g}"
        at: dict[str, Value] = {"K": 5, "p": 0.3, "b": 0.4, "λ": 0.0, "noise": "bounded", "τ": error}
        rows.append(_row(name, 0.0, Estimate.of(differing), ZERO_RESOLUTION, at=at))
    rows.extend(_outside_band(formulas, context))
    rows.extend(_recall_rows(formulas, context))
    return rows


def _noisy(
    p: float, n_arms: int, baseline: float, price: float, noise: float, kind: str, seed: int, context: Context
) -> tuple[FloatArray, FloatArray]:
    sizes = (BATCH_SIZE, N_BATCHES[context.preset], 200)
    return noisy_batches(p, n_arms, baseline, price, noise, kind, *sizes, seed, context.workers)


def _moment_rows(
    p: float,
    n_arms: int,
    baseline: float,
    kind: str,
    noise: float,
    price: float,
    formulas: ModuleType,
    seed: int,
    context: Context,
) -> Iterator[Simulated]:
    table, _ = _noisy(p, n_arms, baseline, price, noise, kind, seed, context)
    predicted = formulas.noisy_moments(p, n_arms, baseline, noise, kind, price=price)
    rate = formulas.noisy_rate(p, n_arms, baseline, noise, kind, price=price)
    point = f"p={p:g}, K={n_arms}, b={baseline:g}, {kind} τ={noise:g}, λ={price:g}"
    signal, square = table[:, bandit_kernels.SIGNAL], table[:, bandit_kernels.PERPENDICULAR_SQUARE]
    parallel, kept = BATCH_SIZE * table[:, bandit_kernels.SIGNAL_VARIANCE], table[:, bandit_kernels.KEPT] / BATCH_SIZE
    cosine = jackknife(lambda s, q: np.asarray(s / np.sqrt(s**2 + q)), signal, square)
    for name, value, found in (
        ("E[g]·u", predicted.signal, Estimate.of(signal)),
        ("Var_⊥", predicted.var_perpendicular, Estimate.of(BATCH_SIZE * square)),
        ("Var_∥", predicted.var_parallel, Estimate.of(parallel)),
        ("backward rate", rate, Estimate.of(kept)),
        ("r.m.s. cosine", formulas.rms_cosine(predicted, BATCH_SIZE), cosine),
    ):
        at: dict[str, Value] = {"K": n_arms, "p": p, "b": baseline, "λ": price, "noise": kind, "τ": noise}
        yield _row(f"{name} at {point}", value, found, at=at)


def _zero_baseline_rows(formulas: ModuleType, context: Context) -> Iterator[Simulated]:
    """Yield backward rates at b = 0, where wrong samples have χ = 0: half pass additive noise, none relative."""
    for index, kind in enumerate(("additive", "relative")):
        table, _ = _noisy(0.3, 5, 0.0, 0.0, 0.7, kind, 80_900 + index, context)
        kept = Estimate.of(table[:, bandit_kernels.KEPT] / BATCH_SIZE)
        rate = formulas.noisy_rate(0.3, 5, 0.0, 0.7, kind)
        at: dict[str, Value] = {"K": 5, "p": 0.3, "b": 0.0, "λ": 0.0, "noise": kind, "τ": 0.7}
        yield _row(f"backward rate at p=0.3, K=5, b=0, {kind} τ=0.7, λ=0", rate, kept, at=at)


def _outside_band(formulas: ModuleType, context: Context) -> Iterator[Simulated]:
    """Yield how often errors of at most δ change a decision: never outside the undecided band, often inside."""
    delta, price = 0.5, 1.0
    low, high = formulas.undecided_band(price, delta)
    for name, left, right, changes in (
        ("below", 0.0, low, False),
        ("above", high, 4.0, False),
        ("in", low, high, True),
    ):
        found = []
        for generator in _generators(81_000):
            chi = generator.uniform(left, right, ROWS[context.preset])
            seen = chi * (1 + delta * generator.uniform(-1, 1, chi.size))
            found.append(float(np.mean((seen > price) != (chi > price))))
        predicted = _band_share(price, delta, float(low), float(high)) if changes else 0.0
        where = f"changed decisions {name} the undecided band, λ={price:g}, δ={delta:g}"
        at: dict[str, Value] = {"side": name, "λ": price, "δ": delta}
        yield _row(where, predicted, Estimate.of(np.array(found)), 0.0 if changes else ZERO_RESOLUTION, at=at)


def _band_share(price: float, delta: float, low: float, high: float) -> float:
    """Return the chance of a change for χ uniform on the band and a uniform error, by quadrature."""

    def change(chi: float) -> float:
        up = np.clip((1 - (price / chi - 1) / delta) / 2, 0.0, 1.0)  # P(χ̂ > λ)
        return float(1 - up if chi > price else up)

    return float(integrate.quad(change, low, high, points=[price], epsabs=1e-12)[0] / (high - low))


def _recall_rows(formulas: ModuleType, context: Context) -> Iterator[Simulated]:
    """Yield recall of the exact top ρ: Gaussian delight and atoms, exactly-k in a batch so large that 1/k is nothing.

    The batch is a hundred thousand, so that the finite-batch difference (of order 1/(ρB)) is a tenth of an error.
    """
    size, n_batches = 100_000, {"smoke": 12, "quick": 40, "paper": 600}[context.preset]
    for index, (rate, noise) in enumerate(((0.03, 0.5), (0.1, 1.0), (0.3, 0.2))):
        found = []
        for generator in _generators(82_000 + index, n_batches):
            chi = generator.standard_normal(size)
            found.append(_overlap(chi, chi + noise * generator.standard_normal(size), rate, generator))
        name = f"recall of the top {rate:g}, Gaussian delight, τ={noise:g} deviations"
        at: dict[str, Value] = {"χ": "Gaussian", "ρ": rate, "noise": "additive", "τ": noise}
        yield _row(name, formulas.gaussian_recall(rate, noise), Estimate.of(np.array(found)), at=at)
    atoms, masses = np.array([1.0, 0.4, -0.3, -1.2]), np.array([0.1, 0.2, 0.4, 0.3])
    for index, (kind, noise, rate) in enumerate((("additive", 0.5, 0.25), ("relative", 0.5, 0.1))):
        recall, price = formulas.top_rate_recall(atoms, masses, rate, noise, kind)
        found = []
        for generator in _generators(83_000 + index, n_batches):
            # The price gate: its rate and its overlap are exact at every batch size.
            chi = generator.choice(atoms, size, p=masses)
            scale = noise * np.abs(chi) if kind == "relative" else noise
            seen = chi + scale * generator.standard_normal(size)
            found.append(_priced_overlap(chi, seen > price, atoms, masses, rate))
        name = f"recall of the top {rate:g}, four atoms, {kind} τ={noise:g}"
        at = {"χ": "four atoms", "ρ": rate, "noise": kind, "τ": noise}
        yield _row(name, recall, Estimate.of(np.array(found)), at=at)


def _overlap(chi: FloatArray, seen: FloatArray, rate: float, generator: np.random.Generator) -> float:
    return float((select(chi, rate, generator) & select(seen, rate, generator)).sum() / kept_count(rate, chi.size))


def _priced_overlap(chi: FloatArray, kept: Keeps, atoms: FloatArray, masses: FloatArray, rate: float) -> float:
    """Return kept mass of the exact top ρ over ρ; the exact gate keeps its last atom with the share that fits."""
    left, overlap = rate, 0.0
    for atom, mass in zip(atoms, masses, strict=True):  # in descending order
        share = min(left, mass)
        overlap += share / mass * float(np.mean(kept & (chi == atom)))
        left -= share
    return overlap / rate
