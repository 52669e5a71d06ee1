"""Work on tensors that is recorded once and replayed: on a GPU one launch in place of hundreds.

A small network's update is hundreds of operations of a few microseconds, and a GPU waits for the host to start each.
Recorded as a CUDA graph they start each other. What is recorded is operations, shapes and addresses: so the work may
read no value, its shapes may depend on none, and all that it changes must be changed in place.

Elsewhere the operations are recorded too and replayed one by one. That saves nothing, and holds the recorded work to
the same three rules where there is no GPU: see ``tests/networks/test_captured.py``.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

__all__ = ["Captured", "bucket", "make_capturable"]

WARM_UP = 3
"""Calls that are made as they are before one is recorded: optimizers make their state, libraries choose kernels."""


def bucket(width: int, most: int) -> int:
    """Return the width that a number of rows is padded to: most, or half of it, a quarter, … down to 1."""
    if not 0 <= width <= most:
        raise ValueError(f"width must be between 0 and {most}, got {width}")
    size = most
    while size > 1 and -(-size // 2) >= max(width, 1):
        size = -(-size // 2)
    return size


def make_capturable(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Let an optimizer's steps be recorded on a GPU; a state that is loaded takes that back."""
    if device.type == "cuda":
        for group in optimizer.param_groups:
            group["capturable"] = True


@lru_cache(maxsize=8)
def _aside(device: torch.device) -> Any:
    """Return the stream that calls are made on before they are recorded, one a device: each has blocks of its own."""
    return torch.cuda.Stream(device)


class Captured:
    """A function of tensors on one device, recorded at its fourth call.

    Parameters
    ----------
    work : callable
        Takes tensors, whose shapes and dtypes never change, and returns tensors. What else it reads stays where it
        is; what it changes it changes in place. What it does in Python is done at the first calls alone.
    device : torch.device

    Attributes
    ----------
    recorded : bool
        Whether calls are replays by now.
    """

    def __init__(self, work: Callable[..., Sequence[Tensor]], device: torch.device) -> None:
        self._work, self._device, self._calls = work, device, 0
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()
        self._replay: Callable[[], Any] | None = None

    @property
    def recorded(self) -> bool:
        """See the class."""
        return self._replay is not None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Do the work once; from the recording on the returned tensors are the same ones, with new values.

        Raises
        ------
        ValueError
            If an input has another shape or dtype than the recorded one.
        """
        self._calls += 1
        if self._replay is None and self._calls <= WARM_UP:
            return self._warm_up(inputs)
        if self._replay is None:
            return self._record(inputs)
        for place, given in zip(self._inputs, inputs, strict=True):
            if (place.shape, place.dtype) != (given.shape, given.dtype):
                recorded = f"{tuple(place.shape)} {place.dtype}"
                raise ValueError(f"inputs must be as recorded, {recorded}, got {tuple(given.shape)} {given.dtype}")
            place.copy_(given)
        self._replay()
        return self._outputs

    def _warm_up(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if self._device.type != "cuda":
            return tuple(self._work(*inputs))
        here, aside = torch.cuda.current_stream(self._device), _aside(self._device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):  # as graphs ask of what they are going to record
            outputs = tuple(self._work(*inputs))
        here.wait_stream(aside)
        return outputs

    def _record(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        self._inputs = tuple(each.clone() for each in inputs)
        if self._device.type == "cuda":
            gc.collect()  # the graphs of programs that are done hold memory of their own
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.device(self._device), torch.cuda.graph(graph):
                self._outputs = tuple(self._work(*self._inputs))
            self._replay = graph.replay
            graph.replay()  # recording does nothing by itself
            return self._outputs

        def traced(*given: Tensor) -> tuple[Tensor, ...]:
            self._outputs = tuple(self._work(*given))
            return self._outputs

        operations = make_fx(traced)(*self._inputs)

        def replay() -> None:
            with torch.no_grad():  # the backward pass is among the operations
                for place, value in zip(self._outputs, operations(*self._inputs), strict=True):
                    place.copy_(value)

        self._replay = replay
        return self._outputs
