"""Where an experiment runs. Torch, slow to import, is imported only to look for a GPU."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kondo_theory.words import choice

if TYPE_CHECKING:
    import torch

__all__ = [
    "DEVICES",
    "available_cores",
    "clock",
    "describe",
    "describe_cpu",
    "device_name",
    "resolve",
    "single_thread",
]

DEVICES = ("auto", "cpu", "cuda")


def resolve(name: str) -> torch.device:
    """Return the torch device: ``auto`` takes CUDA if there is one.

    Raises
    ------
    ValueError
        If the name is unknown or the device is absent.
    """
    import torch

    choice("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda is not available on this machine: use cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def describe(device: torch.device) -> str:
    """Return the device's type and model, for the record of a run; of a GPU also whether TF32 may round products."""
    import torch

    if device.type == "cuda":
        tf32 = "on" if torch.backends.cuda.matmul.allow_tf32 else "off"
        return f"cuda: {torch.cuda.get_device_name(device)}, TF32 {tf32}"
    return describe_cpu()


def device_name(description: str) -> str:
    """Return ``CPU`` or the GPU's name from what :func:`describe` returned."""
    kind, _, name = description.partition(": ")
    return "CPU" if kind == "cpu" else name.partition(",")[0] or "unknown device"


def clock(device: torch.device) -> tuple[Callable[[], float], str]:
    """Return a clock for work on a device, in seconds, and what it counts.

    On the CPU it counts the seconds of this process, which others on the machine cannot take away. A GPU works off a
    queue: its clock waits until the queue is empty, and counts seconds on the wall.
    """
    if device.type != "cuda":
        return time.process_time, "CPU seconds"
    import torch

    def synchronised() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return synchronised, "seconds, synchronised"


def describe_cpu() -> str:
    """Return ``cpu:`` and the processor's model."""
    return f"cpu: {_cpu_model()}"


@contextmanager
def single_thread() -> Iterator[None]:
    """Run torch on one CPU thread, numbers below the normal range flushed to zero.

    The order of a sum, and so its last bits, depends on the number of threads. A parameter whose gradient is zero for
    hundreds of updates, as that of a rare pixel under a gate, leaves Adam's moments below 1e-38, where a processor
    takes microcode for every product: ``kondo bench`` says how much longer a step takes then.
    """
    import torch

    threads = torch.get_num_threads()
    flushed = float(torch.tensor(2e-38, device="cpu") / 4) == 0
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(threads)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
