"""The early sign of the token trap on committed runs of token reversal: does it come, when, and where it must not.

    python -m simulations.reversal.diagnostics.trap_sign SEEDS

trains the first updates of the runs of study token-trap anew, about 20 seconds each on one thread, and prints for
token gates below the critical rate, which all stall, how many have the sign and when, and for those above it and for
row gates, which all learn, how many have it all the same. The committed tables hold rewards, not what the kept tokens
do; a run that is trained anew has the rewards of the committed one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import beta
from torch.nn.functional import pad

from kondo_theory.training import Answers, Selection, TrapSign, answer_statistics
from simulations.devices import single_thread
from simulations.networks.rollouts import Rollout
from simulations.reversal.config import ReversalConfig
from simulations.reversal.diagnostics.arguments import asked_seeds
from simulations.reversal.objectives import right_tokens
from simulations.reversal.studies import ABOVE, BELOW, control, token_gate
from simulations.reversal.training import ReversalRun

__all__ = ["SETS", "SignedRun", "interval", "main", "run_with_sign"]

UPDATES = 700

SETS = {
    "token gates below the critical rate": [token_gate(setting) for setting in BELOW],
    "token gates above it": [token_gate(setting) for setting in ABOVE],
    "row gates by delight": [control(setting, "delight") for setting in BELOW],
}


@dataclass(frozen=True)
class SignedRun:
    """The first updates of a run.

    Attributes
    ----------
    reward : (updates,) array
    sign : int or None
        The update at which the sign was on first.
    least : float
        The least that the kept drift was over its standard error while that of all tokens could be seen.
    """

    reward: NDArray[np.float64]
    sign: int | None
    least: float

    @property
    def gain(self) -> float:
        """Mean reward of the last 50 updates less that of the 20 before the sign; NaN without."""
        if self.sign is None:
            return np.nan
        return float(self.reward[-50:].mean() - self.reward[max(0, self.sign - 20) : self.sign + 1].mean())


def run_with_sign(config: ReversalConfig, updates: int, sign: TrapSign) -> SignedRun:
    """Train one policy as study token-trap does, and look for the sign at every update."""
    run = ReversalRun(replace(config, updates=updates), torch.device("cpu"))
    run.evaluate()  # it draws from the run's streams, as in the study
    rewards, on, least = [], None, np.inf
    while run.update < updates:
        rollout, coefficient, selection, loss = run.screened_batch()
        found = _statistics(rollout, coefficient, selection)
        rewards.append(found["right"])
        if sign.add(found) and on is None:
            on = run.update
        if sign.full_z > sign.seen:
            least = min(least, sign.z)
        run.step.update(rollout, coefficient, selection, loss)
        run.update += 1
        if run.update % config.eval_every == 0:
            run.evaluate()
    return SignedRun(np.array(rewards), on, float(least))


def _statistics(rollout: Rollout, coefficient: torch.Tensor, selection: Selection) -> dict[str, float]:
    H = rollout.prompts.shape[1]
    there = torch.ones_like(rollout.tokens, dtype=torch.bool)
    answers = Answers(rollout.tokens, there, there & (torch.arange(there.shape[1]) >= H))
    whole = replace(selection, keep=pad(selection.keep, (H, 0)))
    correct = pad(right_tokens(rollout.prompts, rollout.answers).bool(), (H, 0))
    advantage = coefficient if coefficient.ndim == 1 else coefficient[:, 0]
    return answer_statistics(answers, advantage, whole, correct=correct).read()


def interval(found: int, runs: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Clopper and Pearson."""
    low = 0.0 if found == 0 else float(beta.ppf(0.025, found, runs - found + 1))
    high = 1.0 if found == runs else float(beta.ppf(0.975, found + 1, runs - found))
    return low, high


@single_thread()
def main(n_seeds: int) -> None:
    """Print what the sign says of every set of runs."""
    for name, configs in SETS.items():
        runs = [
            run_with_sign(replace(each, seed=seed), UPDATES, TrapSign())
            for each in configs
            for seed in range(n_seeds)
        ]
        on = [run for run in runs if run.sign is not None]
        low, high = interval(len(on), len(runs))
        print(f"{name}: sign in {len(on)} of {len(runs)} runs (95 % interval {low:.0%} to {high:.0%})", flush=True)
        print(f"  kept drift over its standard error, the least of each run: {_span([run.least for run in runs])}")
        if on:
            at = [run.sign for run in runs if run.sign is not None]
            gain = [run.gain for run in on]
            print(f"  at update {_span(at)}; the reward of the end less that at the sign {_span(gain)}")


def _span(values: list[float] | list[int]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}, median {np.median(values):.3g}"


def _seeds(arguments: list[str] | None = None) -> int:
    return asked_seeds("trap_sign", __doc__, 5, arguments)


if __name__ == "__main__":
    main(_seeds())
