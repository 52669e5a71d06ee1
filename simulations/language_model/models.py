"""What learns of a language model: all of it, its last blocks behind a frozen trunk, or low-rank adapters.

Where a trunk is frozen, the hidden states that left it while answers were drawn are what it would compute again: the
second pass begins there, and only the last blocks run.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from simulations.errors import InputError
from simulations.language_model.config import parse_trainable
from simulations.language_model.weights import require_extra

__all__ = ["Learner", "Tail", "at_temperature", "blocks_of", "make_learner"]


class Tail(nn.Module):
    """The last blocks of a causal language model, its norm and its head: from hidden states to logits.

    Parameters
    ----------
    model : nn.Module
        Of Hugging Face, with its blocks in a list ``layers``; it is shared, not changed.
    blocks : int

    Attributes
    ----------
    hidden : (B, L, D) tensor
        What goes into the first of these blocks, for each token of the batch that is going to be read.
    """

    reads_sources = True

    def __init__(self, model: Any, blocks: int) -> None:
        super().__init__()
        body = _shared(model.base_model)
        body.layers = nn.ModuleList(list(body.layers)[-blocks:])
        self.model = _shared(model)
        setattr(self.model, model.base_model_prefix, body)
        self.hidden: Tensor = torch.zeros(())

    def get_output_embeddings(self) -> nn.Module:
        """Return the head."""
        head: nn.Module = self.model.get_output_embeddings()
        return head

    def forward(self, input_ids: Tensor, sources: Tensor) -> Tensor:
        """Return logits (R, N, V) of tokens (R, N), from the hidden states at their places in the batch."""
        hidden = self.hidden.flatten(0, 1)[sources]
        logits: Tensor = self.model(inputs_embeds=hidden, use_cache=False).logits
        return logits


@dataclass(frozen=True, eq=False)
class Learner:
    """A model to draw answers from and the part of it that is run again.

    Attributes
    ----------
    model : nn.Module
        Draws answers.
    second : nn.Module
        Runs the second pass: the model, or its tail.
    before : nn.Module or None
        The block whose inputs have to be kept while answers are drawn.
    """

    model: Any
    second: nn.Module
    before: nn.Module | None

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """What learns, by name."""
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def take(self, hidden: Tensor | None) -> None:
        """Let the second pass begin with the hidden states that were kept."""
        if isinstance(self.second, Tail):
            assert hidden is not None
            self.second.hidden = hidden


def blocks_of(model: Any) -> nn.ModuleList:
    """Return the blocks of a causal language model.

    Raises
    ------
    InputError
        If they are not in a list ``layers`` of its body.
    """
    blocks = getattr(getattr(model, "base_model", None), "layers", None)
    if not isinstance(blocks, nn.ModuleList):
        raise InputError(f"the last blocks of a {type(model).__name__} are not known: train all, or lora-R")
    return blocks


@torch.no_grad()
def at_temperature(model: Any, temperature: float) -> Any:
    """Make another temperature's policy of a model, for drawing and learning alike, and return it.

    Its last norm, which its head alone reads, is scaled by 1/τ, and with it every logit.

    Raises
    ------
    ValueError
        If the temperature is not above 0.
    InputError
        If scaling its last norm does not scale its logits.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    norm, tokens = getattr(model.base_model, "norm", None), torch.tensor([[0, 1]])
    before = model(input_ids=tokens.to(model.device), use_cache=False).logits
    if norm is not None:
        for each in norm.parameters():
            each.div_(temperature)
    after = model(input_ids=tokens.to(model.device), use_cache=False).logits
    if not torch.allclose(after, before / temperature, rtol=1e-4, atol=1e-4):
        raise InputError(f"the logits of a {type(model).__name__} are not in proportion to its last norm")
    return model


def make_learner(model: Any, trainable: str, seed: int, *, reuse: bool = True) -> Learner:
    """Let a part of a model learn, and freeze the rest.

    Parameters
    ----------
    model : nn.Module
        A causal language model of Hugging Face; it is changed.
    trainable : str
        ``all``, ``last-N`` or ``lora-R``.
    seed : int
        Of the adapters' initialisation.
    reuse : bool
        Begin the second pass of last blocks with what left the trunk before.

    Raises
    ------
    ValueError, InputError
        If the model has not so many blocks, or what is before them cannot be left out.
    ReportedError
        If peft is missing.
    """
    kind, number = parse_trainable(trainable)
    if kind == "all":
        return Learner(model.requires_grad_(True), model, None)
    if kind == "lora":
        adapted = _with_adapters(model, number, seed)
        return Learner(adapted, adapted, None)
    blocks = blocks_of(model)
    if number > len(blocks):
        raise ValueError(f"the model has {len(blocks)} blocks, got {trainable}")
    model.requires_grad_(False)
    first = blocks[-number].requires_grad_(True)
    for block in blocks[-number:]:
        block.requires_grad_(True)
    if not reuse:
        return Learner(model, model, None)
    tail = Tail(model, number)
    _require_same(model, tail, first)
    return Learner(model, tail, first)


def _with_adapters(model: Any, rank: int, seed: int) -> Any:
    require_extra("peft")
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what peft and transformers have to tell each other
        torch.manual_seed(seed)
        return get_peft_model(model, config).eval()


def _shared(module: Any) -> Any:
    """Return a module with the same parameters and the same modules in it, which may be exchanged."""
    twin = copy.copy(module)
    twin.__dict__["_modules"] = dict(module._modules)
    return twin


@torch.no_grad()
def _require_same(model: Any, tail: Tail, first: nn.Module) -> None:
    """Refuse a model that does something to its inputs that the tail would do again."""
    tokens = torch.tensor([[0, 1, 0, 1]], device=next(model.parameters()).device)
    kept: list[Tensor] = []
    with first.register_forward_pre_hook(
        lambda _, args, options: kept.append(args[0] if args else options["hidden_states"]), with_kwargs=True
    ):
        expected = model(input_ids=tokens, use_cache=False).logits
    tail.hidden = kept[0]
    found = tail(tokens, torch.arange(4, device=tokens.device).unsqueeze(0))
    if not torch.allclose(found, expected, rtol=1e-4, atol=1e-4):
        raise InputError(
            f"the trunk of a {type(model).__name__} cannot be left out: its blocks alone give other logits; train"
            " all, or lora-R"
        )
