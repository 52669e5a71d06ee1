"""How a causal language model is called, and how its head is kept from making logits that nobody asked for.

Both are found out once: the call from the signature of ``forward``, the head from a forward pass over two tokens. A
head is a module whose output *is* the model's logits, the same tensor, not written to since, and that acts on each
position by itself: a linear layer, or what ``get_output_embeddings`` of a Hugging Face model returns, wrapped for
LoRA or not. Then the model runs without it, and it is applied to the hidden states that count, a chunk at a time.
Where something follows the head (logits that are scaled, capped or masked, in place or by a hook), where it draws or
keeps anything in its forward pass, where hooks look at its gradients, where it runs within a checkpoint or the model
is compiled, the model makes the logits of a micro-batch itself, and from there on they are read by chunks as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from kondo_theory.training.agreement import version_of
from kondo_theory.training.answers.heads import is_hooked, is_recomputed, learns_alone, repeats
from kondo_theory.training.answers.packing import MicroBatch
from kondo_theory.training.answers.token_log_prob import TokenLogProb, token_log_prob
from kondo_theory.training.policies import fresh_casts, logits_of

__all__ = ["CausalModel"]


class _WithinCheckpointError(Exception):
    """The head runs within a checkpoint, whose backward pass would call it again."""


class CausalModel:
    """A causal language model as a function from micro-batches to the log-probabilities of their tokens.

    Parameters
    ----------
    model : nn.Module
        Returns logits (B, L, V), or an object with ``.logits``. Called with ``input_ids=`` if its ``forward`` names
        that, and with the tokens alone otherwise; ``use_cache=False`` goes along where it is named too. Rows are
        aligned at their first token, so no mask and no positions are needed. A model with a true attribute
        ``reads_sources`` is called with ``sources=`` as well, the places of the tokens in the flattened batch, (R,
        N): it may know something of them already.
    chunk_tokens : int
        Tokens whose logits exist at once.
    """

    def __init__(self, model: nn.Module, chunk_tokens: int) -> None:
        self.model, self.chunk_tokens = model, chunk_tokens
        self._by_name = _takes(model, "input_ids")
        self._by_source = bool(getattr(_innermost(model), "reads_sources", False))
        self._options = {"use_cache": False} if self._by_name and _takes(model, "use_cache") else {}
        self._head: nn.Module | None = None
        self._n_logits = 0  # unknown

    def log_prob(
        self, batch: MicroBatch, *, with_entropy: bool = False, with_largest: bool = False, check: bool = False
    ) -> TokenLogProb:
        """Return what :class:`TokenLogProb` has of the tokens that count, (n,), with a graph where gradients are on.

        Raises
        ------
        TypeError, ValueError
            If the model does not return logits (R, N, V) for tokens (R, N) or, with ``check``, which waits for the
            device, a token that counts has none.
        """
        if not self._n_logits:
            self._head = self._find_head(batch.tokens[:1, :2], batch.sources[:1, :2])
        if check and bool((batch.targets >= self._n_logits).any()):
            highest = int(batch.targets.max())
            raise ValueError(f"answer tokens must be below {self._n_logits}, the model's logits, got {highest}")
        options: dict[str, Any] = {"with_entropy": with_entropy, "with_largest": with_largest}
        with fresh_casts():
            if self._head is not None and not is_hooked(self._head):
                try:
                    return self._behind_the_body(self._head, batch, options)
                except _WithinCheckpointError:
                    self._head = None
            logits = logits_of(self._call(batch.tokens, batch.sources), *batch.tokens.shape).flatten(0, 1)
            return self._read(logits, batch, lambda chosen: chosen, (), options)

    def _call(self, tokens: Tensor, sources: Tensor | None = None) -> Any:
        options = self._options | ({"sources": sources} if self._by_source else {})
        return self.model(input_ids=tokens, **options) if self._by_name else self.model(tokens, **options)

    def _read(
        self,
        hidden: Tensor,
        batch: MicroBatch,
        head: Callable[[Tensor], Tensor],
        parameters: tuple[Tensor, ...],
        options: dict[str, Any],
    ) -> TokenLogProb:
        return token_log_prob(
            hidden, batch.positions, batch.targets, head, parameters, chunk_tokens=self.chunk_tokens, **options
        )

    def _behind_the_body(self, head: nn.Module, batch: MicroBatch, options: dict[str, Any]) -> TokenLogProb:
        """Run the model with the log-probabilities, (1, n, 1), in place of the head's logits.

        They are made within the call of the head, so that what wraps its modules (sharded parameters, for one) finds
        it called once and its output among those of the model.
        """
        hidden: list[Tensor] = []
        found: list[TokenLogProb] = []
        handed: list[tuple[Tensor, int | None]] = []

        def withhold(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            if is_recomputed():
                raise _WithinCheckpointError
            hidden.append(args[0])
            return (args[0][:, :0], *args[1:])

        def read(module: nn.Module, _args: Any, _output: Any) -> Tensor:
            learning = tuple(each for each in module.parameters() if each.requires_grad)
            found.append(self._read(hidden[-1].flatten(0, 1), batch, module.forward, learning, options))
            made = found[-1].log_prob.view(1, -1, 1).clone()  # sharding wants no views as outputs
            handed.append((made, version_of(made)))
            return made

        with ExitStack() as hooks:
            hooks.callback(head.register_forward_pre_hook(withhold).remove)
            hooks.callback(head.register_forward_hook(read, prepend=True).remove)
            output = self._call(batch.tokens, batch.sources)
        if len(found) != 1:
            raise RuntimeError(f"the model's head must be called once a forward pass, got {len(found)} calls")
        returned = logits_of(output, 1, len(batch.positions))
        if not (returned is handed[0][0] and version_of(returned) == handed[0][1] is not None):  # wrappers may copy
            _require_same(returned, found[0].log_prob)
        return found[0]._replace(log_prob=returned[0, :, 0])

    def _find_head(self, tokens: Tensor, sources: Tensor | None = None) -> nn.Module | None:
        """Return the module that makes the logits of a few tokens (1, N), or None; no random stream moves."""
        own = getattr(_innermost(self.model), "get_output_embeddings", lambda: None)()
        calls: list[tuple[nn.Module, bool, Any, int | None]] = []

        def note(module: nn.Module, args: Any, output: Any) -> None:
            alone = len(args) == 1 and isinstance(args[0], Tensor) and args[0].shape[:-1] == tokens.shape
            alone = alone and learns_alone(module, args[0]) and repeats(module, args[0])  # unsharded, for now
            version = output._version if isinstance(output, Tensor) else None
            calls.append((module, alone, output, version))

        devices = sorted({each.device for each in self.model.parameters() if each.device.type == "cuda"}, key=str)
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(devices=devices))
            stack.enter_context(fresh_casts())
            stack.enter_context(torch.inference_mode(False))  # where tensors have no versions
            stack.enter_context(torch.no_grad())
            for module in _uncompiled(self.model):
                if isinstance(module, nn.Linear) or module is own:
                    # Before other hooks: what they make of the output is not the head's.
                    stack.callback(module.register_forward_hook(note, prepend=True).remove)
            logits = logits_of(self._call(tokens, sources), *tokens.shape)
            self._n_logits = logits.shape[-1]
            heads = [each for each in calls if each[2] is logits and each[3] == logits._version]
            if not heads:
                return None
            head, alone, *_ = heads[-1]  # the outermost, of wrappers that hand on what is in them
            once = sum(module is head for module, *_ in calls) == 1
            return head if alone and once else None


def _require_same(returned: Tensor, log_prob: Tensor) -> None:
    """Refuse log-probabilities (1, n, 1) that are not those (n,) that the head was made to return."""
    if not torch.equal(returned.detach().flatten(), log_prob.detach().to(returned.dtype)):
        raise RuntimeError(
            "the model must return what its head returns, as it did at first: a hook or a change of the model since"
            " makes something else of it; make a new step, which will see it"
        )


def _uncompiled(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules that no compiled one holds: within those, hooks would be compiled too."""
    if not (hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None)):
        yield model
        for child in model.children():
            yield from _uncompiled(child)


def _takes(model: nn.Module, name: str) -> bool:
    """Return whether a model's ``forward`` names an argument, or hands it on to one that does."""
    named = inspect.signature(model.forward).parameters
    inner = _inner(model)
    hands_on = any(each.kind is each.VAR_KEYWORD for each in named.values())
    return name in named or (hands_on and inner is not None and _takes(inner, name))


def _innermost(model: nn.Module) -> nn.Module:
    """Return the model behind all wrappers."""
    inner = _inner(model)
    return model if inner is None else _innermost(inner)


def _inner(model: nn.Module) -> nn.Module | None:
    """Return the model behind a wrapper: of data parallelism, compilation, low-rank adapters; None if it is none."""
    for name in ("module", "_orig_mod"):
        if isinstance(inner := getattr(model, name, None), nn.Module):
            return inner
    base = getattr(model, "get_base_model", None)
    found = base() if callable(base) else None
    return found if isinstance(found, nn.Module) and found is not model else None
