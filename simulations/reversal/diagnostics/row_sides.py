"""Both sides of the condition for answers kept whole, read along the training of row gates on token reversal.

    python -m simulations.reversal.diagnostics.row_sides SEEDS

trains the first updates of row gates and prints, window by window, the summed drift of the right tokens' logits over
its error, the slope that must be below 1 for it to be positive, and the share of windows in which the condition that
is sufficient holds. The transformer's parameters are shared, so that what is read is a diagnostic and not a proof.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from kondo_theory.token_trap.row_balance import RowBalance, row_balance
from kondo_theory.training import Selection
from simulations.devices import single_thread
from simulations.networks.rollouts import Rollout
from simulations.reversal.config import ReversalConfig
from simulations.reversal.diagnostics.arguments import asked_seeds
from simulations.reversal.objectives import right_tokens
from simulations.reversal.training import ReversalRun

__all__ = ["SETS", "Window", "main", "run_with_sides"]

UPDATES, WINDOW = 500, 100

SETS = {
    f"row gate by {rule}, M = {M}, H = {H}, ρ = {rate:g}": ReversalConfig(
        "row-gate", rate=rate, rule=rule, vocab_size=M, length=H
    )
    for M, H, rate in ((2, 10, 0.03), (10, 4, 0.05))
    for rule in ("delight", "advantage", "abs-advantage")
}


@dataclass(frozen=True)
class Window:
    """What a window of updates says.

    Attributes
    ----------
    update : int
        The last one.
    reward : float
        Mean of its batches.
    balance : RowBalance
        Of all its answers; errors are those between prompts.
    """

    update: int
    reward: float
    balance: RowBalance


def run_with_sides(config: ReversalConfig, updates: int, window: int) -> list[Window]:
    """Train one policy by a row gate as a study does, and read both sides in each window of updates.

    Raises
    ------
    ValueError
        If the method is no row gate, or the reward is not the share of right tokens.
    """
    if config.method != "row-gate" or config.reward != "fraction":
        raise ValueError(f"method must be row-gate with the reward fraction, got {config.method}, {config.reward}")
    run = ReversalRun(replace(config, updates=updates), torch.device("cpu"))
    run.evaluate()  # it draws from the run's streams, as in a study
    found, batches = [], []
    while run.update < updates:
        rollout, coefficient, selection, loss = run.screened_batch()
        batches.append(_read(rollout, coefficient, selection))
        run.step.update(rollout, coefficient, selection, loss)
        run.update += 1
        if run.update % config.eval_every == 0:
            run.evaluate()
        if run.update % window == 0:
            found.append(_window(run.update, batches, config.answers))
            batches = []
    return found


Batch = tuple[NDArray[np.float64], ...]


def _read(rollout: Rollout, coefficient: torch.Tensor, selection: Selection) -> Batch:
    """Return right (B, T), the right tokens' probabilities (B, T), advantage (B,) and keep (B,)."""
    wanted = rollout.prompts.flip(1).unsqueeze(2)
    probability = rollout.log_policy.gather(2, wanted).squeeze(2).exp().clamp(max=1)
    advantage = coefficient if coefficient.ndim == 1 else coefficient[:, 0]
    parts = (right_tokens(rollout.prompts, rollout.answers), probability, advantage, selection.keep[:, 0])
    return tuple(part.double().numpy() for part in parts)


def _window(update: int, batches: list[Batch], answers: int) -> Window:
    right, probability, advantage, keep = (np.concatenate(part) for part in zip(*batches, strict=True))
    prompts = np.arange(len(right)) // answers
    return Window(update, float(right.mean()), row_balance(right, probability, advantage, keep, groups=prompts))


@single_thread()
def main(n_seeds: int) -> None:
    """Print what the windows of every set of runs say."""
    for name, config in SETS.items():
        runs = [run_with_sides(replace(config, seed=seed), UPDATES, WINDOW) for seed in range(n_seeds)]
        print(name, flush=True)
        for windows in zip(*runs, strict=True):
            each = [window.balance for window in windows]
            print(
                f"  to update {windows[0].update}: reward {_span([window.reward for window in windows])}, "
                f"drift over its error {_span([one.drift / one.drift_error for one in each])}, "
                f"slope {_span([one.slope for one in each])}, "
                f"condition met in {sum(one.margin > 0 for one in each)} of {len(each)}"
            )


def _span(values: list[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}"


def _seeds(arguments: list[str] | None = None) -> int:
    return asked_seeds("row_sides", __doc__, 2, arguments)


if __name__ == "__main__":
    main(_seeds())
