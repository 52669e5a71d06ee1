"""How much memory a call takes: the storages that its operators make, each until it is freed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

__all__ = ["peak_bytes"]

_BEFORE = -1


def peak_bytes(run: Callable[[], Any], apart: Callable[[], Iterable[torch.Tensor]] = tuple) -> int:
    """Return the most bytes of tensors that a call held at once, beyond those that were there before it.

    Parameters
    ----------
    run : callable
        What an operator uses inside is not seen.
    apart : callable, optional
        Returns, when the call is done, tensors that do not count, such as the gradients that it wrote.
    """
    with _Allocations() as allocations:
        run()
        left_out = {allocations.number_of(tensor) for tensor in apart()}
    counted = (change for number, change in allocations.changes if number not in left_out)
    return max(accumulate(counted, initial=0))


class _Allocations(TorchDispatchMode):
    """Numbers the storages that operators make, and notes by how many bytes each changes what is held."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[tuple[int, int]] = []
        self._numbers: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._made = 0

    def number_of(self, tensor: torch.Tensor) -> int:
        """Return the number of a tensor's storage."""
        return int(self._numbers.get(tensor.untyped_storage(), _BEFORE))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in _tensors((args, kwargs)):
            self._numbers.setdefault(tensor.untyped_storage(), _BEFORE)
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if storage not in self._numbers:
                self._numbers[storage] = number = self._made
                self._made += 1
                self.changes.append((number, storage.nbytes()))
                weakref.finalize(storage, self.changes.append, (number, -storage.nbytes()))
        return result


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
