"""Softmax policies that learn side by side from micro-batches of eight: what a gate's rate does while they drift."""

import torch
from torch.nn.functional import one_hot

from kondo_theory.training import select_samples

REPLICAS, B, CONTEXTS, ARMS = 8, 8, 10, 10


def train(gate, steps, learning_rate, seed=0, replicas=REPLICAS):
    """Train by the gated policy gradient; return kept samples of each step and replica, and the mean reward."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(replicas, CONTEXTS, ARMS, generator=generator)
    kept, reward = torch.zeros(steps, replicas), torch.zeros(steps)
    for step in range(steps):
        context = torch.randint(CONTEXTS, (replicas, B), generator=generator)
        index = context[..., None].expand(-1, -1, ARMS)
        log_policy = logits.gather(1, index).log_softmax(-1)
        noise = torch.rand(log_policy.shape, generator=generator)
        action = (log_policy - (-noise.log()).log()).argmax(-1)
        right = log_policy[..., 0].exp()
        advantage = (action == 0).float() - right
        delight = advantage * -log_policy.gather(-1, action[..., None])[..., 0]
        keep = select_samples(delight, gate, generator, check=False).keep
        gradient = (one_hot(action, ARMS) - log_policy.exp()) * (keep * advantage)[..., None] / B
        logits.scatter_add_(1, index, learning_rate * gradient)
        kept[step], reward[step] = keep.sum(-1), right.mean()
    return kept, reward


def ratio(kept, rate):
    """Return the realised rate over the wished one, and its standard error over the replicas."""
    each = kept.mean(0) / (B * rate)
    return float(each.mean()), float(each.std() / len(each) ** 0.5)
