"""The ranks of a process group, and what joins a policy's gradients over them."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Ranks", "of_its_own", "require_joined", "without_reduction"]


class Ranks:
    """The ranks of a process group, each with a part of the global batch: that of rank 0 first, then that of rank 1.

    Every rank must make the same calls in the same order; one that fails leaves the others waiting until the group's
    timeout.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        Those that share the global batch; by default all.

    Attributes
    ----------
    rank, size : int
        This rank, and how many there are.

    Raises
    ------
    ValueError
        If there is no process group, or this process is not in it.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise ValueError("ranks need a process group: call torch.distributed.init_process_group first")
        self.group, self.rank, self.size = group, dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise ValueError("ranks must be a group that this process belongs to")

    def gather(self, values: Tensor) -> Tensor:
        """Return the values of all ranks, (size, …), in the order of the ranks; shape and dtype must be the same."""
        if values.dtype == torch.bool:
            return self.gather(values.byte()).bool()
        parts = [torch.empty_like(values, memory_format=torch.contiguous_format) for _ in range(self.size)]
        dist.all_gather(parts, values.contiguous(), group=self.group)
        return torch.stack(parts)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over ranks, the same bits on all."""
        return self.gather(values).sum(0)

    def most(self, number: int, device: torch.device) -> int:
        """Return the largest of the ranks' numbers; waits for the device."""
        return int(self.gather(torch.tensor(number, device=device)).amax())

    def place(self, size: int, device: torch.device) -> tuple[int, int]:
        """Return where this rank's part of a global batch begins, and the batch's size; waits for the device."""
        sizes = self.gather(torch.tensor(size, device=device)).tolist()
        return sum(sizes[: self.rank]), sum(sizes)

    def concatenate(self, values: Tensor) -> Tensor:
        """Return the ranks' vectors, of lengths that may differ, as one; waits for the device."""
        sizes = self.gather(torch.tensor(len(values), device=values.device)).tolist()
        padded = values.new_zeros(max(sizes))
        padded[: len(values)] = values
        return torch.cat([part[:size] for part, size in zip(self.gather(padded), sizes, strict=True)])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rank={self.rank}, size={self.size})"


def require_joined(policy: nn.Module, ranks: Ranks | None) -> None:
    """Refuse a policy whose gradients nobody averages over the ranks, and one over ranks that a step is not told of.

    Raises
    ------
    ValueError
        If the policy is neither wrapped in ``DistributedDataParallel`` nor sharded by ``fully_shard`` though there
        are ranks, is so without them, or is wrapped over another number of ranks.
    """
    group: Any = policy.process_group if isinstance(policy, DistributedDataParallel) else None
    joined = group is not None or _sharded(policy)
    if joined and ranks is None:
        raise ValueError(
            f"the policy {type(policy).__name__} averages gradients over ranks: pass ranks=Ranks(), or each rank"
            " gates its own batch, and one that keeps nothing leaves the others waiting"
        )
    if ranks is not None and not joined:
        raise ValueError(
            "with ranks the policy must be DistributedDataParallel(policy), or sharded by fully_shard: nobody"
            f" averages the gradients of {type(policy).__name__}"
        )
    if ranks is not None and group is not None and dist.get_world_size(group) != ranks.size:
        averaged = dist.get_world_size(group)
        raise ValueError(f"ranks must be those that the policy is averaged over, {averaged}, got {ranks.size}")


def _sharded(policy: nn.Module) -> bool:
    """Return whether ``fully_shard`` sharded a part of the policy."""
    fsdp = sys.modules.get("torch.distributed.fsdp")  # whoever shards imports it: a second that all others save
    return fsdp is not None and any(isinstance(module, fsdp.FSDPModule) for module in policy.modules())


def without_reduction(policy: nn.Module, more: bool) -> AbstractContextManager[None]:
    """Return a context whose passes leave the gradients of ``DistributedDataParallel`` to a later one, if ``more``.

    Sharded gradients are reduced at every pass: a whole one would not fit.
    """
    if more and isinstance(policy, DistributedDataParallel):
        return policy.no_sync()
    return nullcontext()


def of_its_own(policy: nn.Module, gradient: Tensor) -> Tensor:
    """Return a gradient that no later pass writes to: those that are views of buckets are copied."""
    views = isinstance(policy, DistributedDataParallel) and policy.gradient_as_bucket_view
    return gradient.clone() if views else gradient
