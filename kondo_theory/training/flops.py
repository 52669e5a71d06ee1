"""FLOPs of a policy, measured once and apart from training.

Counting inside the training loop would change it: under the counter compiled code runs uncompiled, and fused kernels
hide their matrix products.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from kondo_theory.training.observations import Observations, batch_size
from kondo_theory.training.policies import (
    fresh_casts,
    log_probabilities,
    logits_of,
    require_gradients,
    require_trainable,
)

__all__ = ["FlopsPerSample", "measure_flops"]


@dataclass(frozen=True)
class FlopsPerSample:
    """FLOPs in matrix products and convolutions, two a multiply-add, of one sample.

    Attributes
    ----------
    forward, backward : float
        Of the forward pass, and of the backward pass alone.
    """

    forward: float
    backward: float


def measure_flops(policy: nn.Module, observations: Observations) -> FlopsPerSample:
    """Count the FLOPs of a policy's forward and backward pass on a batch, and divide them by its size.

    Fused kernels are taken apart for it: attention, transformer layers, LSTM and GRU. Compiled policies run
    uncompiled, once, and stay compiled. Gradients, buffers and random number generators of torch are as before.

    Parameters
    ----------
    policy : nn.Module
        Maps observations to logits (B, K), see :class:`~kondo_theory.training.ScreenedStep`.
    observations : tensor (B, ...), or a tuple or mapping of such tensors

    Raises
    ------
    TypeError, ValueError
        If the policy does not give logits, or has nothing to train, or in inference mode.
    NotImplementedError
        If it uses a kernel whose matrix products cannot be counted; the message names it.
    """
    require_gradients("FLOPs must be counted")
    require_trainable(policy)
    size, parameters = batch_size(observations), [each for each in policy.parameters() if each.requires_grad]
    buffers = [(buffer, buffer.detach().clone()) for buffer in policy.buffers()]
    devices = sorted({each.device for each in parameters if each.device.type == "cuda"}, key=str)
    with torch.random.fork_rng(devices=devices), torch.enable_grad(), fresh_casts(), _unfused():
        try:
            with _MatrixProducts() as forward:
                log_policy = log_probabilities(logits_of(policy(observations), size))
            with _MatrixProducts() as backward:
                torch.autograd.grad(log_policy[:, 0].sum(), parameters, allow_unused=True)
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
    return FlopsPerSample(forward.flops / size, backward.flops / size)


@contextmanager
def _unfused() -> Iterator[None]:
    """Run everything eagerly and by kernels that show their matrix products."""
    mkldnn, cudnn = torch.backends.mkldnn, torch.backends.cudnn
    fast_path = torch.backends.mha.get_fastpath_enabled()
    before = [backend.set_flags(False) for backend in (mkldnn, cudnn)]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.compiler.set_stance("force_eager"), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for backend, flags in zip((mkldnn, cudnn), before, strict=True):
            backend.set_flags(flags[0])


def _product(left: Any, right: Any) -> int:
    """FLOPs of left @ right where right may be a vector."""
    return 2 * int(left.numel()) * (int(right.shape[-1]) if right.ndim > 1 else 1)


_aten = torch.ops.aten
_FORMULAS: dict[Any, Callable[..., int]] = {
    _aten.mv: lambda matrix, vector, **_: _product(matrix, vector),
    _aten.addmv: lambda _bias, matrix, vector, **_: _product(matrix, vector),
    _aten.dot: lambda left, right, **_: _product(left, right),
    _aten.vdot: lambda left, right, **_: _product(left, right),
    _aten.addbmm: lambda _bias, left, right, **_: _product(left, right),
    _aten._int_mm: lambda left, right, **_: _product(left, right),
}
"""Of products that torch's counter leaves out."""

_HIDDEN = re.compile(
    r"_rnn|rnn_|^lstm$|^gru$|transformer_encoder|multi_head_attention|dot_product_|flash_attention|efficient_attention"
    r"|^_trilinear$|^_cdist_|_mm$|_mm_|_mm\d|mkldnn_linear|^_addmm_activation$|sparse_"
)
"""Kernels that multiply matrices inside and have no formula."""

_PLAIN = {"aten", "prim", "prims", "profiler", "c10d", "_c10d_functional"}


class _MatrixProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the FLOPs of all operators. Unlike torch's counter it hooks into no module, and it knows its limits."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, packet = kwargs or {}, func.overloadpacket
        formula = flop_registry.get(packet) or _FORMULAS.get(packet)
        if formula is None and func.namespace != "prim":
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
            name = packet.__name__
            if func.namespace not in _PLAIN or _HIDDEN.search(name):
                raise NotImplementedError(
                    f"the policy's kernel {func.namespace}::{name} has no FLOP formula; register one with"
                    " torch.utils.flop_counter.register_flop_formula, or count by hand"
                )
        result = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=result) if packet in flop_registry else formula(*args)
        return result
