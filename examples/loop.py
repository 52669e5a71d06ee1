"""The gate in a training loop that runs as it stands: ten classes, one guess an image, reward 1 if it is right.

    python examples/loop.py

Trains the same network with every sample, and with the 3 % of most delight, and prints what each has cost.
"""

import torch
from torch import nn

from kondo_theory import Gate, ScreenedStep

N_CLASSES, N_FEATURES, BATCH, UPDATES = 10, 64, 100, 300


def task(generator: torch.Generator) -> torch.Tensor:
    """Return the centres of the classes, (10, 64)."""
    return torch.randn(N_CLASSES, N_FEATURES, generator=generator)


def draw(centres: torch.Tensor, n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return observations (n, 64) and their classes (n,)."""
    label = torch.randint(N_CLASSES, (n,), generator=generator)
    return centres[label] + 1.5 * torch.randn(n, N_FEATURES, generator=generator), label


def train(gate: Gate | None, seed: int = 0) -> tuple[float, int]:
    """Return the error after training, and the samples that had a backward pass."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    centres = task(generator)
    policy = nn.Sequential(nn.Linear(N_FEATURES, 64), nn.ReLU(), nn.Linear(64, N_CLASSES))
    step = ScreenedStep(policy, torch.optim.Adam(policy.parameters(), 1e-3), gate, generator=generator)
    for _ in range(UPDATES):
        observations, label = draw(centres, BATCH, generator)
        screening = step.act(observations)  # forward, without a graph; one action a row
        reward = (screening.actions == label).float()
        baseline = screening.log_policy.exp().square().sum(-1)  # any baseline will do
        step.update(observations, screening, reward - baseline)  # backward on the kept rows alone
    with torch.no_grad():
        observations, label = draw(centres, 10_000, generator)
        error = (policy(observations).argmax(-1) != label).float().mean()
    return float(error), step.counts.backward_samples


def main() -> None:
    """Train both and compare."""
    for name, gate in (("every sample", None), ("the top 3 %", Gate(rate=0.03))):
        error, backward = train(gate)
        print(f"{name:13} error {error:6.2%} after {UPDATES * BATCH:,} samples forward, {backward:7,} backward")


if __name__ == "__main__":
    main()
