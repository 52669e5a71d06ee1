"""What a policy must be for a screened step, and what is made of its output: log-probabilities and actions."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from kondo_theory.training.ranks.group import Ranks

__all__ = [
    "draw",
    "fresh_casts",
    "log_probabilities",
    "logits_of",
    "pick",
    "require_gradients",
    "require_graph",
    "require_independent_rows",
    "require_numbers",
    "require_optimized",
    "require_trainable",
    "wide",
    "zero_gradient",
]

_MOST_CATEGORIES = 2**24
"""``torch.multinomial`` takes no more."""


def require_trainable(policy: nn.Module) -> None:
    """Refuse what is no module, and a policy without a parameter that learns."""
    if not isinstance(policy, nn.Module):
        raise TypeError(f"the policy must be a torch module, got {type(policy).__name__}")
    if not any(parameter.requires_grad for parameter in policy.parameters()):
        raise ValueError(
            f"the policy {type(policy).__name__} has no trainable parameter: at least one must have requires_grad"
        )


def require_optimized(policy: nn.Module, optimizer: Any) -> None:
    """Refuse an optimizer of torch that has none of a policy's parameters, or needs the loss again and again.

    Optimizers of others may have copies of the parameters.
    """
    if not type(optimizer).__module__.startswith("torch.optim"):
        return
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(f"the optimizer must step by gradients it is given, got {type(optimizer).__name__}")
    held = {id(each) for group in optimizer.param_groups for each in group["params"]}
    if not any(each.requires_grad and id(each) in held for each in policy.parameters()):
        raise ValueError("the optimizer must have parameters of the policy that learn, got none of them")


def require_independent_rows(policy: nn.Module) -> None:
    """Refuse batch normalisation that takes its statistics from the batch."""
    for name, module in policy.named_modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        if module.training or module.running_mean is None:
            how = "in training mode" if module.training else "without running statistics"
            raise ValueError(
                f"the policy's layer {name!r} is {type(module).__name__} {how}: it mixes the rows of a batch, so the"
                " kept rows alone would have another gradient; use eval() with running statistics or a layer per row"
            )


def logits_of(output: Any, *leading: int) -> Tensor:
    """Return the logits that a policy gave, (…, K).

    Parameters
    ----------
    output : tensor, or object with ``logits``
        A ``Categorical`` is one; its logits are normalised, which changes nothing.
    leading : int
        The expected axes before the last: B.

    Raises
    ------
    TypeError
        If there are no logits, or their dtype is not a real floating one.
    ValueError
        If their shape is another.
    """
    if isinstance(output, Distribution) and not isinstance(output, Categorical):
        raise TypeError(
            f"the policy must return logits or a Categorical, got the distribution {type(output).__name__}"
        )
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if not isinstance(logits, Tensor):
        what = type(output).__name__
        if isinstance(output, tuple | list):
            what = f"a {what} of {len(output)}: wrap the policy to return the logits alone, such as output[0]"
        elif isinstance(output, Mapping):
            what = f"a {what}: wrap the policy to return one of its entries, {', '.join(map(str, output))}"
        raise TypeError(f"the policy must return logits, as a tensor or in an attribute .logits, got {what}")
    if not logits.is_floating_point():
        raise TypeError(f"the policy's logits must have a real floating dtype, got {logits.dtype}")
    shape = tuple(logits.shape)
    if shape[:-1] != leading or not shape[-1:] > (0,):
        expected = ", ".join([*map(str, leading), "K"])
        raise ValueError(f"the policy's logits must have the shape ({expected}), a row each, got {shape}")
    return logits


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of log-probabilities: float32 at least.

    In bfloat16 they are off by 0.05 nats at 32,000 actions, and draws favour the first actions; in float16 draws hit
    actions of probability zero.
    """
    return torch.promote_types(dtype, torch.float32)


def log_probabilities(logits: Tensor) -> Tensor:
    """Return log π of every action, (..., K), in nats, float32 at least."""
    return logits.log_softmax(-1, dtype=wide(logits.dtype))


def require_numbers(log_policy: Tensor) -> None:
    """Refuse log-probabilities of NaN, which logits of NaN or +∞, or rows of −∞ alone, give; waits for the device."""
    bad = log_policy.isnan().flatten(0, -2).any(-1)
    if bool(bad.any()):
        row = int(bad.int().argmax())
        raise ValueError(
            f"the policy's logits must be numbers below +∞, one of a row above −∞; its log-probabilities of"
            f" observation {row} are nan"
        )


def pick(log_policy: Tensor, actions: Tensor) -> Tensor:
    """Return log π(a), (...), from the log-probabilities (..., K) of all actions."""
    return log_policy.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def draw(
    log_policy: Tensor,
    generator: torch.Generator | None = None,
    ranks: Ranks | None = None,
    *,
    quick: bool = False,
) -> Tensor:
    """Draw an action a row from log-probabilities (B, K), float32 at least; (B,) int64.

    With ranks, those of its rows that one process would draw with all of theirs, from a generator in the same state.
    ``quick`` draws the same actions without torch's checks of the probabilities, but that for NaN.
    """
    few = log_policy.shape[-1] <= _MOST_CATEGORIES
    if few and ranks is None and not (quick and not bool(log_policy.isnan().any())):
        return torch.multinomial(log_policy.exp(), 1, generator=generator).squeeze(-1)
    size = len(log_policy)
    first, total = (0, size) if ranks is None else ranks.place(size, log_policy.device)
    race = log_policy.new_empty(total, log_policy.shape[-1]).exponential_(generator=generator)[first : first + size]
    if few:
        return (log_policy.exp() / race).argmax(-1)  # what multinomial does with one draw
    return (log_policy - race.log_()).argmax(-1)  # Gumbel–max: the first of exponential clocks with rates π


@contextmanager
def fresh_casts() -> Iterator[None]:
    """Keep autocast's cached casts of the weights from passing between forward passes with and without a graph.

    A cast that is made without a graph hides the weight from the next pass: in old versions of torch the weight then
    had no gradient at all.
    """
    torch.clear_autocast_cache()
    yield
    torch.clear_autocast_cache()


def require_graph(log_prob: Tensor) -> None:
    """Refuse log-probabilities that no gradient can flow through."""
    if not log_prob.requires_grad:
        raise ValueError(
            "the policy's logits must depend on a trainable parameter: it was frozen since, or cuts the graph"
        )


def require_gradients(what: str = "a step must be taken") -> None:
    """Refuse inference mode, in which no graph can be made."""
    if torch.is_inference_mode_enabled():
        raise ValueError(f"{what} outside of torch.inference_mode, in which there are no gradients")


def zero_gradient(policy: nn.Module, output: Tensor) -> None:
    """Give a gradient of zero to the parameters that ``output`` depends on and that have none; leave all others.

    As a backward pass over a batch in which everything is masked would: what is frozen or not used keeps none, so
    that weight decay and momentum leave it alone, and what has accumulated stays.
    """
    require_graph(output)
    accumulated = {parameter: parameter.grad for parameter in policy.parameters()}
    for parameter in accumulated:
        parameter.grad = None
    output.backward(torch.zeros_like(output))  # type: ignore[no-untyped-call]
    for parameter, gradient in accumulated.items():
        if gradient is not None:
            parameter.grad = gradient
        elif parameter.grad is not None:
            parameter.grad.zero_()  # an infinite activation would have made it NaN
