"""What a head must be to be called apart from its model, by chunks of tokens, and again in the backward pass."""

from __future__ import annotations

import sys
from types import FrameType

import torch
from torch import Tensor, nn
from torch.utils import checkpoint

from kondo_theory.training.answers.token_log_prob import Autocast

__all__ = ["is_hooked", "is_recomputed", "learns_alone", "repeats"]


def learns_alone(module: nn.Module, hidden: Tensor) -> bool:
    """Return whether a gradient goes from a module's output to its own parameters that learn and to nothing else.

    The backward pass of a head asks for those alone: what it borrows from elsewhere would be left without.
    """
    with torch.enable_grad(), Autocast.of(hidden)():
        output = module.forward(hidden.detach())
    nodes, reached = {output.grad_fn}, set()
    while nodes:
        node = nodes.pop()
        if hasattr(node, "variable"):
            reached.add(node.variable)
        nodes.update(before for before, _ in getattr(node, "next_functions", ()))
    return reached == {each for each in module.parameters() if each.requires_grad}


def is_recomputed() -> bool:
    """Return whether this is called within a checkpoint, whose backward pass calls everything again."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == checkpoint.__file__:
            return True
        frame = frame.f_back
    return False


def repeats(module: nn.Module, hidden: Tensor) -> bool:
    """Return whether a module that trains, called again, gives the same: it draws nothing and keeps nothing.

    It is tried in training mode, for it may be there in a later pass; what it keeps is put back.
    """
    modes = [(each, each.training) for each in module.modules()]
    kept = [(each, each.clone()) for each in module.buffers()]
    drawn = _random_state(hidden.device)
    try:
        module.train()
        with Autocast.of(hidden)():
            outputs = [module.forward(hidden) for _ in range(2)]
        same = torch.equal(*outputs) and torch.equal(drawn, _random_state(hidden.device))
        return same and all(torch.equal(each, before) for each, before in kept)
    finally:
        for each, before in kept:
            each.copy_(before)
        for part, training in modes:
            part.training = training


def _random_state(device: torch.device) -> Tensor:
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def is_hooked(module: nn.Module) -> bool:
    """Return whether hooks look at the gradients of a module or of its parameters.

    They are for one gradient a backward pass, and there would be one of each chunk.
    """
    of_parameters = any(each._backward_hooks for each in module.parameters())
    return of_parameters or any(each._backward_hooks or each._backward_pre_hooks for each in module.modules())
