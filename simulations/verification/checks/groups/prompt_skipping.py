"""The simulation of the claim prompt-skipping: prompts epoch by epoch, and waits after a time without spread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kondo_theory.screening.prompts import expected_wait, idle_probability, visit_probability, visit_share
from simulations.bandits.groups.visits import (
    Prices,
    simulate_costs,
    simulate_visits,
    waits_after,
    waits_where_none_taught,
)
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.moments import estimated, generator
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["prompt_skipping"]

Formula = Callable[..., Any]
"""One of :mod:`kondo_theory.screening.prompts`, or a wrong one."""

GROUP_SIZE = 8
# p, ξ and the cap: with and without one, and above it a prompt that would starve without.
PROMPTS = (
    (0.3, 0.5, np.inf), (0.85, 0.7, np.inf), (0.5, 0.3, np.inf), (0.05, 0.5, 3.0), (0.95, 0.3, 2.0), (0.0, 0.5, 2.0),
)  # fmt: skip
WAITS = ((20, 0.5), (100, 0.7), (200, 0.5))
RESOLUTION = 0.01
COSTS = ((0.85, 0.7, 2), (0.85, 0.7, None))
"""p, ξ and how many answers of a group a gate keeps; None is no gate."""
PRICES = Prices(sampling=3.0, screening=0.5, update=3.0)
TAUGHT = (0.95, 0.5, 5)
"""p, ξ and the epochs in which a prompt that could have taught did not."""


def answer_cost(q: float, prices: Prices, rate: float | None) -> float:
    """Return what a visit costs an answer: a + s + ρ(1 − q)(1 + c) with a gate, a + (1 − q)(1 + c) without."""
    if rate is None:
        return prices.sampling + (1 - q) * prices.update
    return prices.sampling + prices.screening + rate * (1 - q) * prices.update


def wait_where_none_taught(n_epochs: int, exploration: float, q: float) -> float:
    """Return the expected wait after T epochs without spread of a prompt whose visits have some with chance 1 − q.

    By recursion over the chances of z idle visits and no other; at q = 1 it is 1 + T(1 − ξ)/ξ, at less it is less.
    """
    chance = exploration ** np.arange(n_epochs + 1.0)
    mass = np.eye(n_epochs + 1)[0]
    for _ in range(n_epochs):
        mass = (1 - chance) * mass + q * np.concatenate([[0.0], (chance * mass)[:-1]])
    return float(mass @ (1 / chance) / mass.sum())


def prompt_skipping(
    context: Context,
    share: Formula = visit_share,
    wait: Formula = expected_wait,
    chance: Formula = visit_probability,
    cost: Formula = answer_cost,
    untaught: Formula = wait_where_none_taught,
) -> list[Simulated]:
    """Simulate shares of visits and of signal, groups without spread, costs, and the wait of prompts that had none.

    ``share``, ``wait``, ``cost``, ``untaught`` and the ``chance`` by which prompts are sampled are parameters so that
    wrong ones can be shown to fail.
    """
    n_prompts, n_epochs = {"smoke": (100, 200), "quick": (400, 2_000), "paper": (1_000, 10_000)}[context.preset]
    rows: list[Simulated] = []
    for index, (p, xi, longest) in enumerate(PROMPTS):
        sampled = partial(chance, exploration=xi, longest=longest)
        rates = np.full(n_prompts, p)
        found = simulate_visits(rates, GROUP_SIZE, sampled, n_epochs, n_epochs // 2, generator(24, index))
        at: dict[str, Value] = {"p": p, "S": GROUP_SIZE, "ξ": xi, "longest": longest}
        point = f"p={p:g}, S={GROUP_SIZE}, ξ={xi:g}, longest={longest:g}"
        q = float(idle_probability(p, GROUP_SIZE))
        left = float(share(q, xi, longest))
        signal = p * (1 - p) * (1 - 1 / GROUP_SIZE)
        rows.append(estimated(f"share of epochs with a visit, {point}", left, found.share, RESOLUTION, at=at))
        if 0 < p < 1:
            rows.append(estimated(f"share of visits without spread, {point}", q, found.idle, RESOLUTION, at=at))
            rows.append(
                estimated(f"share of the signal, {point}", left, found.signal / signal, 2 * RESOLUTION, at=at)
            )
    for index, (n_epochs_idle, xi) in enumerate(WAITS):
        waits = waits_after(n_epochs_idle, 200 * n_prompts, partial(chance, exploration=xi), generator(25, index))
        point = f"wait after {n_epochs_idle} epochs, ξ={xi:g}"
        where: dict[str, Value] = {"epochs": n_epochs_idle, "ξ": xi}
        predicted = float(wait(n_epochs_idle, xi))
        rows.append(estimated(point, predicted, waits, 2 * RESOLUTION * predicted, at=where))
    rows += _costs(n_prompts, n_epochs // 4, share, cost, chance)
    p, xi, n_idle_epochs = TAUGHT
    q = float(idle_probability(p, GROUP_SIZE))
    sampled = partial(chance, exploration=xi)
    waits = waits_where_none_taught(p, GROUP_SIZE, n_idle_epochs, 400 * n_prompts, sampled, generator(25, len(WAITS)))
    predicted = float(untaught(n_idle_epochs, xi, q))
    at = {"p": p, "S": GROUP_SIZE, "epochs": n_idle_epochs, "ξ": xi}
    point = f"wait after {n_idle_epochs} epochs, p={p:g}, S={GROUP_SIZE}, ξ={xi:g}"
    rows.append(estimated(point, predicted, waits, 2 * RESOLUTION * predicted, at=at))
    return rows


def _costs(n_prompts: int, n_epochs: int, share: Formula, cost: Formula, chance: Formula) -> list[Simulated]:
    """Return what prompts that are skipped cost an answer of an epoch, with a gate and without."""
    rows = []
    for index, (p, xi, n_kept) in enumerate(COSTS):
        q = float(idle_probability(p, GROUP_SIZE))
        predicted = float(share(q, xi, np.inf) * cost(q, PRICES, None if n_kept is None else n_kept / GROUP_SIZE))
        how = (partial(chance, exploration=xi), PRICES, n_prompts, n_epochs, generator(27, index))
        found = simulate_costs(p, GROUP_SIZE, n_kept, *how)
        kept = "all" if n_kept is None else f"k={n_kept}"
        at: dict[str, Value] = {"p": p, "S": GROUP_SIZE, "ξ": xi, "k": "all" if n_kept is None else n_kept}
        point = f"cost of an answer, p={p:g}, S={GROUP_SIZE}, ξ={xi:g}, {kept} kept"
        rows.append(estimated(point, predicted, found, 2 * RESOLUTION * predicted, at=at))
    return rows
