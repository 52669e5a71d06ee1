"""Ranks without processes: a thread each, and a gather that waits for all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

from kondo_theory.training.ranks import Ranks


class Thread(Ranks):
    """One of several ranks that are threads of this process; ``sent`` counts the numbers that it gave away."""

    def __init__(self, rank, size, shared):
        self.rank, self.size, self.sent, self._shared = rank, size, 0, shared

    def gather(self, values):
        slots, barrier = self._shared
        self.sent += values.numel()
        slots[self.rank] = values
        barrier.wait(timeout=20)
        gathered = torch.stack([slots[rank] for rank in range(self.size)])
        barrier.wait(timeout=20)
        return gathered


def on_ranks(size, work):
    """Return ``work(ranks)`` of each of ``size`` ranks; the first error of any is raised."""
    shared = [None] * size, threading.Barrier(size)

    def on(rank):
        try:
            return work(Thread(rank, size, shared))
        except BaseException:
            shared[1].abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(on, rank) for rank in range(size)]
    errors = [future.exception() for future in futures]
    own = [error for error in errors if error and not isinstance(error, threading.BrokenBarrierError)]
    for error in own or filter(None, errors):
        raise error
    return [future.result() for future in futures]
