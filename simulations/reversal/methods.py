"""What each method of token reversal multiplies, and the loss that takes it."""

from __future__ import annotations

from torch import Tensor

from kondo_theory.gate import delight, gate_probability
from kondo_theory.words import unhandled
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_step import Loss, policy_gradient_loss
from simulations.reversal.config import GATED, ReversalConfig
from simulations.reversal.objectives import pmpo_coefficient, pmpo_loss, ppo_loss

__all__ = ["objective"]


def objective(config: ReversalConfig, rollout: Rollout, advantage: Tensor) -> tuple[Tensor, Loss]:
    """Return the coefficient of each token, (B, T), and the loss that takes it, from the rows' advantages (B,).

    Of S batches side by side, S·B rows, the advantages are (S, B) and the coefficients (S·B, T).

    Raises
    ------
    ValueError
        If the method has no objective: that of another would train in silence.
    """
    loss: Loss = policy_gradient_loss
    if config.method == "ppo":
        loss = ppo_loss(config.clip, config.divergence)
    if config.method == "pmpo":
        advantage, loss = pmpo_coefficient(advantage, config.alpha), pmpo_loss(config.beta)
    coefficient = advantage.reshape(-1, 1).expand_as(rollout.answers)
    if config.method == "dg":
        chi = delight(coefficient, rollout.surprisal, check=False)
        coefficient = coefficient * gate_probability(chi, 0.0, config.softness, check=False)
    elif config.method not in ("pg", *GATED, "ppo", "pmpo"):
        raise unhandled("method", config.method, ("pg", "dg", *GATED, "ppo", "pmpo"))
    return coefficient, loss
