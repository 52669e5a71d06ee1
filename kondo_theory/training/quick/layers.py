"""Plain policies: linear layers and elementwise functions in a row, whose gradient is written out here.

A small step on a CPU is overhead more than arithmetic: of a network of width 100 the second pass over three kept rows
and its graph take longer than the pass over a hundred. So :class:`KeptPass` holds what the layers read in screening,
and the kept rows' gradient is a few products of it. It is for ``nn.Sequential`` of the layers below alone, with
nothing attached to them; :func:`plain_layers` says whether a policy is such. The pass with a graph in
:mod:`kondo_theory.training.rows` stays the definition, and what serves everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from kondo_theory.training.observations import Observations

__all__ = ["KEPT_BYTES", "KeptPass", "plain_layers", "run_layers"]

KEPT_BYTES = 2**24
"""Activations of a batch, and here the parameters beside them, that are kept at most: beyond, a second forward pass
over the kept rows is cheaper than their memory."""

_Derivative = Callable[[Any, Tensor, Tensor], Tensor]

_aten = torch.ops.aten
_IN_PLACE: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: torch.relu_,
    nn.Tanh: torch.tanh_,
    nn.Sigmoid: torch.sigmoid_,
}
"""Elementwise layers whose derivative follows from what they made: it may stand in place of what they read."""
_DERIVATIVES: dict[type[nn.Module], _Derivative] = {
    nn.ReLU: lambda layer, delta, made: _aten.threshold_backward.default(delta, made, 0),
    nn.Tanh: lambda layer, delta, made: _aten.tanh_backward.default(delta, made),
    nn.Sigmoid: lambda layer, delta, made: _aten.sigmoid_backward.default(delta, made),
    nn.SiLU: lambda layer, delta, read: _aten.silu_backward.default(delta, read),
    nn.GELU: lambda layer, delta, read: _aten.gelu_backward.default(delta, read, approximate=layer.approximate),
}
"""The derivative of a loss by what an elementwise layer read, from that by what it made; autograd's own."""

_OWN = [(nn.Module, "__call__"), (nn.functional, "linear")]
_OWN += [(kind, "forward") for kind in (nn.Sequential, nn.Linear, *_DERIVATIVES)]
_TORCHS_OWN = [(holder, name, getattr(holder, name)) for holder, name in _OWN]
"""What a plain policy's forward pass is made of: whoever puts something else there has it called."""

_MODULE_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_any_global_hook: Callable[[], bool] = nn.modules.module._has_any_global_hook


def plain_layers(policy: nn.Module) -> tuple[nn.Module, ...] | None:
    """Return the layers of a plain policy, or None for any other.

    Plain is a ``nn.Sequential`` of ``nn.Linear``, the first and the last, with one of ReLU, Tanh, Sigmoid, SiLU or
    GELU, or nothing, between two of them: the very classes, with parameters that are all trainable, of one dtype
    (float32 or float64), contiguous, on the CPU and in no two places. Layers and parameters have no hook, torch's own
    functions are in place, and no mode is on that calls others or makes other tensors.
    """
    if type(policy) is not nn.Sequential or _is_attended(policy) or _any_global_hook():
        return None
    if torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling() or torch.is_inference_mode_enabled():
        return None
    if torch._C._len_torch_function_stack() or any(getattr(at, name) is not own for at, name, own in _TORCHS_OWN):
        return None
    layers: tuple[nn.Module, ...] = tuple(policy)
    parameters: list[Tensor] = []
    linear = False  # the layer before
    for layer in layers:
        after_linear, linear = linear, type(layer) is nn.Linear  # and no class derived from it
        if _is_attended(layer) or not (linear or (after_linear and type(layer) in _DERIVATIVES)):
            return None
        if linear and [*layer._parameters] != ["weight", "bias"]:
            return None
        if linear:
            parameters += [each for each in layer._parameters.values() if each is not None]
        elif getattr(layer, "inplace", False) and type(layer) not in _IN_PLACE:
            return None
    if not linear:
        return None
    dtype, places = parameters[0].dtype, {each.data_ptr() for each in parameters}
    if dtype not in (torch.float32, torch.float64) or len(places) < len(parameters):
        return None
    return layers if all(_is_plain(each, dtype) for each in parameters) else None


def _is_attended(layer: nn.Module) -> bool:
    """Whether a call of the layer is more than its class's forward pass."""
    own = vars(layer)
    return "forward" in own or own.get("_compiled_call_impl") is not None or any(own[name] for name in _MODULE_HOOKS)


def _is_plain(parameter: Tensor, dtype: torch.dtype) -> bool:
    gradient = parameter.grad
    return (
        type(parameter) is nn.Parameter
        and parameter.requires_grad
        and parameter.dtype == dtype
        and parameter.device.type == "cpu"
        and parameter.is_contiguous()  # fused optimizers read a gradient in its parameter's strides, unasked
        and not parameter._backward_hooks
        and not parameter._post_accumulate_grad_hooks
        and (gradient is None or (type(gradient) is Tensor and gradient.layout == torch.strided))
        and (gradient is None or not gradient.requires_grad)
    )


def run_layers(layers: tuple[nn.Module, ...], rows: Tensor, held: list[Tensor] | None = None) -> Tensor:
    """Return the logits of rows of observations, without a graph.

    ``held`` takes what each layer's derivative is made of: what it read or, of those in ``_IN_PLACE``, what it made.
    """
    for layer in layers:
        in_place = _IN_PLACE.get(type(layer))
        made = layer.forward(rows) if in_place is None else in_place(rows)
        if held is not None:
            held.append(rows)
        rows = made
    return rows


class KeptPass:
    """The forward pass of a plain policy over a batch, kept for the gradient of some of its rows.

    Parameters
    ----------
    layers : tuple of nn.Module
        From :func:`plain_layers`.
    observations : (B, n) tensor

    Attributes
    ----------
    logits : (B, K) tensor
        Without a graph.
    """

    def __init__(self, layers: tuple[nn.Module, ...], observations: Tensor) -> None:
        self.layers, self._held = layers, list[Tensor]()
        self.logits = run_layers(layers, observations, self._held)
        self._made: tuple[Tensor, ...] = ()
        self._versions: list[int] = []
        self._parameters: list[Tensor] = []

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Let copies, pickled ones among them, be None: nobody would let go of their activations."""
        return type(None), ()

    @classmethod
    def of(cls, policy: nn.Module, observations: Observations) -> KeptPass | None:
        """Return the pass of a policy, or None if it is not plain, or its activations are large."""
        layers = plain_layers(policy)
        if layers is None or type(observations) is not Tensor:
            return None
        first = next(layers[0].parameters())
        if observations.ndim != 2 or observations.dtype != first.dtype or observations.device != first.device:
            return None
        if not len(observations) or observations.layout is not torch.strided:
            return None
        if observations.requires_grad or observations.is_inference():
            return None
        widths = [layer.in_features for layer in layers[1:] if isinstance(layer, nn.Linear)]
        weights = sum(each.numel() for each in policy.parameters())
        if (len(observations) * sum(widths) + weights) * first.itemsize > KEPT_BYTES:
            return None
        return cls(layers, observations)

    def parameters(self) -> list[Tensor]:
        """Return the parameters of the layers, in their order."""
        return [each for layer in self.layers for each in layer._parameters.values() if each is not None]

    @torch.no_grad()
    def hold(self, *made: Tensor) -> None:
        """Note how everything is, tensors that screening made from the pass among it."""
        self._made = made
        self._versions = self._versions_now()
        self._parameters = [each.clone() for each in self.parameters()]

    def serves(self, policy: nn.Module, observations: Observations, *made: Tensor | None) -> bool:
        """Whether the pass is still that of this policy over these observations, and was not let go.

        ``made`` are the tensors of :meth:`hold`. Parameters are compared number by number, for a fused optimizer
        changes them without a trace in their version; of other tensors such a change is not seen.
        """
        if not self._held or observations is not self._held[0] or plain_layers(policy) != self.layers:
            return False
        if len(made) != len(self._made) or any(a is not b for a, b in zip(made, self._made, strict=True)):
            return False
        if self._versions != self._versions_now():
            return False
        now = self.parameters()
        if [each.dtype for each in now] != [each.dtype for each in self._parameters]:
            return False
        return all(map(torch.equal, now, self._parameters))

    def _versions_now(self) -> list[int]:
        return [each._version for each in (self._held[0], *self._made)]

    def clear(self) -> None:
        """Let everything go: the pass serves nothing any more."""
        for each in (self._held, self._parameters):
            each.clear()
        self._made = ()

    def again(self, rows: Tensor) -> Tensor:
        """Return the logits (k, K) that the layers as they are now give the rows at places (k,) int64."""
        return run_layers(self.layers, self._held[0].index_select(0, rows))

    def gradients(self, rows: Tensor, delta: Tensor) -> list[Tensor]:
        """Return the gradient of every parameter.

        Parameters
        ----------
        rows : (k,) tensor of int64
            Places in the batch, k ≥ 1.
        delta : (k, K) tensor
            The derivative of the loss by the logits of these rows, in the parameters' dtype.
        """
        found: list[Tensor] = []
        for layer, whole in zip(reversed(self.layers), reversed(self._held), strict=True):
            held = whole.index_select(0, rows)
            if type(layer) is not nn.Linear:
                delta = _DERIVATIVES[type(layer)](layer, delta, held)
                continue
            bias = [] if layer.bias is None else [delta.sum(0)]
            found = [delta.t().mm(held), *bias, *found]
            if layer is not self.layers[0]:
                delta = delta.mm(layer.weight)
        return found
