"""The simulation of the claim prompt-skipping: prompts epoch by epoch, and waits after a time without spread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kondo_theory.screening.prompts import expected_wait, idle_probability, visit_probability, visit_share
from simulations.bandits.groups.visits import simulate_visits, waits_after
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


def prompt_skipping(
    context: Context,
    share: Formula = visit_share,
    wait: Formula = expected_wait,
    chance: Formula = visit_probability,
) -> list[Simulated]:
    """Simulate shares of visits and of signal, groups without spread, and the wait of prompts that had none.

    ``share``, ``wait`` and the ``chance`` by which prompts are sampled are parameters so that wrong ones can be shown
    to fail.
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
    return rows
