"""How the log-probabilities of a batch's tokens move with the parameters: along a direction, by one forward pass.

Then the inner product of a gate's gradient with that direction is a weighted sum over tokens, Σ kept·A·d log π: any
number of gates costs what one costs. Only the last blocks run, from the hidden states of sampling, and a prompt is
read once for all of its answers: they stand behind it side by side and do not see each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from simulations.errors import ReportedError
from simulations.language_model.models import Learner, Tail
from simulations.language_model.sampling import Drawn

__all__ = [
    "Direction",
    "SharedPrompts",
    "along",
    "gradient",
    "log_probabilities",
    "moved",
    "require_sampled",
    "scaled_step",
]

Direction = Sequence[Tensor]
"""A tensor for each parameter that learns, in the order of :attr:`Learner.parameters`."""
_CHANGE = 0.01
"""Nats by which a step moves log-probabilities, root mean square: far above rounding, and still nearly linear."""


@dataclass(frozen=True, eq=False)
class SharedPrompts:
    """Prompts with all of their answers in one row each: what the last blocks read.

    Attributes
    ----------
    hidden : (P, N, D) tensor
        What goes into the first of the blocks that learn.
    seen : (P, N, N) boolean tensor
        Which positions (last axis) each one sees.
    positions : (P, N) tensor of int64
    predicting : (n,) tensor of int64
        Where the answers' tokens are predicted, in the flattened P·N.
    targets, places : (n,) tensors of int64
        These tokens, and where they stand in the flattened batch of answers, B·L.
    """

    hidden: Tensor
    seen: Tensor
    positions: Tensor
    predicting: Tensor
    targets: Tensor
    places: Tensor

    @classmethod
    def of(cls, drawn: Drawn, answers: int, wanted: Tensor) -> SharedPrompts:
        """Return those prompts of a batch that are wanted, (P,) boolean, with their answers, as many to each."""
        tokens, begin = drawn.answers.tokens, drawn.begin
        rows = wanted.repeat_interleave(answers).nonzero().squeeze(1)
        width, device = tokens.shape[1], tokens.device
        attended, longest = drawn.answers.attended[rows], width - begin - 1
        prompt = attended[::answers, :begin]
        read = (attended[:, begin:-1] & attended[:, begin + 1 :]).view(-1, answers * longest)  # all but the last
        order = read.byte().argsort(dim=1, descending=True, stable=True)[
            :, : int(read.sum(1).amax()) if len(rows) else 0
        ]
        assert drawn.hidden is not None
        behind = drawn.hidden[rows, begin:-1].reshape(len(prompt), answers * longest, drawn.hidden.shape[-1])
        behind = behind.gather(1, order.unsqueeze(2).expand(-1, -1, behind.shape[2]))
        hidden = torch.cat([drawn.hidden[rows[::answers], :begin], behind], 1)
        column, own = order % max(longest, 1), order // max(longest, 1)
        positions = torch.cat([prompt.cumsum(1) - 1, prompt.sum(1, keepdim=True) + column], 1).clamp(min=0)
        place = torch.cat([torch.arange(begin, device=device).expand(len(prompt), -1), begin + column], 1)
        owner = torch.cat([torch.full_like(prompt, -1, dtype=torch.int64), own], 1)
        together = (owner == -1).unsqueeze(1) | (owner.unsqueeze(1) == owner.unsqueeze(2))
        present = torch.cat([prompt, read.gather(1, order)], 1).unsqueeze(1)
        itself = torch.eye(place.shape[1], dtype=torch.bool, device=device)  # padding too: no row of −∞
        seen = (together & present & (place.unsqueeze(1) <= place.unsqueeze(2))) | itself
        row, token = drawn.answers.answered[rows, begin:].nonzero().unbind(1)
        before = (row % answers) * longest + (token - 1).clamp(min=0)
        inside = begin + (read.cumsum(1) - 1)[row // answers, before] if longest else token
        at = torch.where(token == 0, begin - 1, inside) + row // answers * place.shape[1]
        places = rows[row] * width + begin + token
        return cls(hidden, seen, positions, at, tokens.flatten()[places], places)


def log_probabilities(learner: Learner, batch: SharedPrompts) -> Tensor:
    """Return log π of the answers' tokens, (n,) nats, with a graph where gradients are on."""
    assert isinstance(learner.second, Tail)
    if not len(batch.targets):
        return batch.hidden.new_zeros(0)
    model = learner.second.model
    mask = torch.zeros(batch.seen.shape, dtype=batch.hidden.dtype, device=batch.hidden.device)
    mask = mask.masked_fill(~batch.seen, torch.finfo(mask.dtype).min).unsqueeze(1)
    options = {"attention_mask": mask, "position_ids": batch.positions, "use_cache": False}
    read = model.base_model(inputs_embeds=batch.hidden, **options).last_hidden_state
    logits = model.get_output_embeddings()(read.flatten(0, 1)[batch.predicting])
    found: Tensor = logits.log_softmax(-1).gather(1, batch.targets.unsqueeze(1)).squeeze(1)
    return found


def gradient(learner: Learner, batch: SharedPrompts, weight: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the gradient of Σ weight·log π, weight (n,), for each parameter that learns; and log π, (n,)."""
    parameters = list(learner.parameters.values())
    if not len(batch.targets):
        return [torch.zeros_like(each) for each in parameters], log_probabilities(learner, batch)
    with torch.enable_grad():
        log_prob = log_probabilities(learner, batch)
        found = torch.autograd.grad((weight.to(log_prob.dtype) * log_prob).sum(), parameters)
    return list(found), log_prob.detach()


def require_sampled(log_prob: Tensor, drawn: Drawn, places: Tensor, tolerance: float) -> None:
    """Refuse log-probabilities that are not those of sampling.

    Raises
    ------
    ReportedError
        If they differ by more than the tolerance, nats.
    """
    assert drawn.answers.log_prob is not None
    gap = float((log_prob - drawn.answers.log_prob.flatten()[places]).abs().max()) if len(places) else 0.0
    if not gap <= tolerance:
        raise ReportedError(
            f"the last blocks give log-probabilities {gap:.2g} nats from those of sampling, more than {tolerance:g}:"
            " this model does something to its blocks' inputs or logits that is not repeated here"
        )


@contextmanager
def moved(learner: Learner, direction: Direction, step: float) -> Iterator[None]:
    """Move the parameters by step · direction meanwhile."""
    parameters = list(learner.parameters.values())
    before = [each.detach().clone() for each in parameters]
    with torch.no_grad():
        try:
            for each, change in zip(parameters, direction, strict=True):
                each.add_(change, alpha=step)
            yield
        finally:
            for each, value in zip(parameters, before, strict=True):
                each.copy_(value)


def scaled_step(learner: Learner, direction: Direction, batch: SharedPrompts, log_prob: Tensor) -> float:
    """Return the step along a direction that moves a batch's log-probabilities by 0.01 nats, root mean square.

    From one trial, one ten-thousandth of the parameters' length; 0 where they do not move, or there are none.
    """
    own = math.sqrt(sum(float(each.detach().double().square().sum()) for each in learner.parameters.values()))
    length = math.sqrt(sum(float(each.double().square().sum()) for each in direction))
    if length == 0 or not len(log_prob):
        return 0.0
    trial = 1e-4 * own / length
    with moved(learner, direction, trial):
        change = float((log_probabilities(learner, batch) - log_prob).double().square().mean().sqrt())
    return trial * _CHANGE / change if change > 0 else 0.0


def along(
    learner: Learner,
    direction: Direction,
    batches: Sequence[SharedPrompts],
    log_probs: Sequence[Tensor],
    step: float,
) -> list[Tensor]:
    """Return d log π of every token along a direction, (n,) float64 for each batch.

    By a difference quotient, forward in batches of even number and backward in the others: its error of first order
    in the step changes sign with it, so that it vanishes in means over batches.
    """
    found = [torch.zeros(len(each), dtype=torch.float64, device=each.device) for each in log_probs]
    if step == 0:
        return found
    for odd, signed in enumerate((step, -step)):
        with moved(learner, direction, signed):
            for number in range(odd, len(batches), 2):
                change = log_probabilities(learner, batches[number]).double() - log_probs[number].double()
                found[number] = change / signed
    return found
