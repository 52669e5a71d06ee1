"""The process group of a run, and how a policy and a batch are placed over its ranks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from kondo_theory.training.ranks import Ranks
from simulations.errors import InputError, ReportedError

__all__ = ["LostRankError", "Placement", "from_rank_0", "process_group"]

T = TypeVar("T")
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


class LostRankError(ReportedError):
    """Another rank is gone or silent: this one can only end, and tears down nothing that would wait for it."""


@contextmanager
def process_group(device: torch.device, seconds: float) -> Iterator[Ranks]:
    """Join the ranks that torchrun started, or be the only one where it did not; leave them at the end.

    Parameters
    ----------
    device : torch.device
        gloo joins CPUs, nccl GPUs: each rank takes the GPU of its number on the machine.
    seconds : float
        How long a rank waits for the others, in every collective.

    Raises
    ------
    ReportedError
        If the ranks do not meet.
    """
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    options: dict[str, Any] = {"timeout": timedelta(seconds=seconds)}
    if "RANK" not in os.environ:
        options |= {"store": dist.HashStore(), "rank": 0, "world_size": 1}  # type: ignore[attr-defined]
    hook = sys.excepthook
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", **options)
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        raise ReportedError(f"the ranks did not meet within {seconds:g} s: {why}") from error
    try:
        yield Ranks()
    except LostRankError:
        raise
    except BaseException:
        dist.destroy_process_group()
        raise
    else:
        dist.destroy_process_group()
    finally:
        sys.excepthook = hook  # torch's own would name the rank from now on


def from_rank_0(value: T, ranks: Ranks) -> T:
    """Return what rank 0 gave."""
    values = [value]
    if ranks.size > 1:
        dist.broadcast_object_list(values, src=0)
    return values[0]


@dataclass(frozen=True)
class Placement:
    """How a run is placed over ranks.

    Attributes
    ----------
    ranks : Ranks
    device : torch.device
    dtype : torch.dtype
        Of the parameters.
    shard : bool
        Shard the parameters (FSDP2, ``fully_shard``) in place of a copy on every rank (DistributedDataParallel).
    """

    ranks: Ranks
    device: torch.device
    dtype: torch.dtype
    shard: bool = False

    def wrapped(self, policy: nn.Module) -> nn.Module:
        """Return the policy with its gradients averaged over the ranks."""
        policy = policy.to(self.device, self.dtype)
        if not self.shard:
            return DistributedDataParallel(policy)
        mesh = init_device_mesh(self.device.type, (self.ranks.size,))
        for block in getattr(policy, "blocks", ()):
            fully_shard(block, mesh=mesh)
        fully_shard(policy, mesh=mesh)
        return policy

    def own(self, size: int) -> slice:
        """Return this rank's share of ``size`` prompts or images, as even as it goes.

        Raises
        ------
        InputError
            If there are fewer than ranks.
        """
        if size < self.ranks.size:
            raise InputError(f"every rank needs a part of the batch, got {size} for {self.ranks.size} ranks")
        first, last = (size * rank // self.ranks.size for rank in (self.ranks.rank, self.ranks.rank + 1))
        return slice(first, last)

    def total(self, numbers: Tensor) -> Tensor:
        """Return the sum over ranks."""
        return self.ranks.total(numbers)

    def state(self, policy: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Return parameters and the optimizer's state, whole and on the CPU, on rank 0; the others must take part.

        They do not depend on the number of ranks, or on how the policy is placed.
        """
        parameters, moments = get_state_dict(policy, optimizer, options=_WHOLE)
        return {"policy": parameters, "optimizer": moments}

    def restore(self, policy: nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
        """Go back to a state that every rank has whole."""
        set_state_dict(
            policy,
            optimizer,
            model_state_dict=state["policy"],
            optim_state_dict=state["optimizer"],
            options=StateDictOptions(full_state_dict=True),
        )
