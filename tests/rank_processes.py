"""Ranks that are processes, forked from a server that has imported what they need: a rank costs no import."""

import multiprocessing
import os
import socket
import time
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = ["simulations.mnist.over_ranks", "simulations.reversal.over_ranks", "simulations.ranks.running"]
PRELOADED += ["torch._dynamo", "array_api_compat.torch"]  # what the first use of torch.distributed would import


def on_processes(size, work, directory, *arguments, timeout=120):
    """Return ``work(rank, size, *arguments)`` of each rank of a gloo group; the first error of any is raised."""
    processes = started(size, _in_a_group, str(directory), work, arguments)
    late = ended(processes, timeout)
    failures = sorted(Path(directory).glob("*.failed"), key=lambda path: path.stat().st_mtime_ns)
    assert not failures, failures[0].read_text(encoding="utf-8")  # the others follow from the first
    assert not late, f"ranks {late} did not end within {timeout} s"
    return [torch.load(Path(directory) / f"{rank}.pt") for rank in range(size)]


def as_torchrun(size, work, directory, *arguments):
    """Start ``work(*arguments)`` with the environment of torchrun; standard error goes to RANK.err."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return started(size, _with_environment, str(directory), port, work, arguments)


def started(size, target, *arguments):
    CONTEXT.set_forkserver_preload(PRELOADED)
    processes = [CONTEXT.Process(target=target, args=(rank, size, *arguments)) for rank in range(size)]
    for process in processes:
        process.start()
    return processes


def ended(processes, timeout):
    """Wait for processes; those that are late are killed, and their ranks returned."""
    until = time.monotonic() + timeout
    for process in processes:
        process.join(max(0, until - time.monotonic()))
    late = [rank for rank, process in enumerate(processes) if process.exitcode is None]
    for rank in late:
        processes[rank].kill()
        processes[rank].join()
    return late


def _in_a_group(rank, size, directory, work, arguments):
    torch.set_num_threads(1)
    try:
        where = f"file://{directory}/store"
        dist.init_process_group("gloo", where, timedelta(seconds=60), world_size=size, rank=rank)
        torch.save(work(rank, size, *arguments), f"{directory}/{rank}.pt")
        dist.destroy_process_group()
    except BaseException:
        Path(f"{directory}/{rank}.failed").write_text(traceback.format_exc(), encoding="utf-8")
        raise


def _with_environment(rank, size, directory, port, work, arguments):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    error = os.open(f"{directory}/{rank}.err", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(error, 2)
    work(*arguments)
