"""Ranks that are processes, forked from a server that has imported what they need: a rank costs no import."""

import multiprocessing
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = ["rank_work", "torch.distributed.tensor", "torch.testing"]


def on_processes(size, work, directory, *arguments, timeout=60):
    """Return ``work(rank, size, *arguments)`` of each rank of a gloo group; the first error of any is raised."""
    CONTEXT.set_forkserver_preload(PRELOADED)
    given = [(rank, size, work, str(directory), arguments) for rank in range(size)]
    processes = [CONTEXT.Process(target=_rank, args=each) for each in given]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout)
    late = [rank for rank, process in enumerate(processes) if process.exitcode is None]
    for rank in late:
        processes[rank].kill()
        processes[rank].join()
    failures = sorted(Path(directory).glob("*.failed"), key=lambda path: path.stat().st_mtime_ns)
    assert not failures, failures[0].read_text(encoding="utf-8")  # the others follow from the first
    assert not late, f"ranks {late} did not end within {timeout} s"
    return [torch.load(Path(directory) / f"{rank}.pt") for rank in range(size)]


def _rank(rank, size, work, directory, arguments):
    torch.set_num_threads(1)
    try:
        where = f"file://{directory}/store"
        dist.init_process_group("gloo", where, timedelta(seconds=20), world_size=size, rank=rank)
        torch.save(work(rank, size, *arguments), f"{directory}/{rank}.pt")
        dist.destroy_process_group()
    except BaseException:
        Path(f"{directory}/{rank}.failed").write_text(traceback.format_exc(), encoding="utf-8")
        raise
