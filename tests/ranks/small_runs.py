"""Small runs of both experiments, for a rank to train or for one process alone."""

import copy
import os
import signal

import numpy as np
import torch

from kondo_theory.training.ranks import Ranks
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.over_ranks import RankedMnist
from simulations.networks.transformer import Architecture
from simulations.ranks.command import main
from simulations.ranks.placing import Placement
from simulations.reversal.config import ReversalConfig
from simulations.reversal.over_ranks import RankedReversal

CPU = torch.device("cpu")
SMALL = Architecture(width=8, heads=2, layers=2, feed_forward=8)
REVERSAL = {"length": 3, "prompts": 5, "answers": 4, "eval_prompts": 21, "network": SMALL, "learning_rate": 0.01}
MNIST = {"batch_size": 11, "hidden": (8,), "dtype": "float64"}
RNG = np.random.default_rng(0)
DATA = Mnist(
    RNG.integers(0, 256, (60, 28, 28), dtype=np.uint8),
    RNG.integers(0, 10, 60, dtype=np.uint8),
    RNG.integers(0, 256, (23, 28, 28), dtype=np.uint8),
    RNG.integers(0, 10, 23, dtype=np.uint8),
)
CONFIGS = {
    "token gate": ReversalConfig("token-gate", rate=0.2, **REVERSAL),
    "rows at a price": ReversalConfig("row-gate", price=0.0, **REVERSAL),
    "rows softly": ReversalConfig("row-gate", price=0.1, temperature=0.3, **REVERSAL),
    "ppo": ReversalConfig("ppo", **REVERSAL),
    "mnist at a rate": MnistConfig("dg-k", rate=0.2, **MNIST),
    "mnist at random": MnistConfig("screen", rate=0.2, rule="uniform", **MNIST),
    "mnist, all": MnistConfig("dg", **MNIST),
}
SHARDED = ("token gate", "rows at a price", "mnist at a rate")
UPDATES = 4


def run_of(name, shard=False):
    place = Placement(Ranks(), CPU, torch.float64, shard)
    config = CONFIGS[name]
    return RankedMnist(config, DATA, place) if "mnist" in name else RankedReversal(config, place)


def trained(name, shard=False):
    """The rows of a short run, and its parameters where they are whole: on rank 0."""
    run = run_of(name, shard)
    run.evaluate()
    for _ in range(UPDATES):
        run.train_batch()
    run.evaluate()
    return {"rows": run.rows, "parameters": run.state()["policy"]}


RUNS = [(name, shard) for name in CONFIGS for shard in (False, True) if not shard or name in SHARDED]


RUNS_OF = {2: RUNS, 4: [("token gate", False), ("token gate", True), ("mnist at a rate", False)]}


def every_run(rank, size):
    found = {each: trained(*each) for each in RUNS_OF[size]}
    return found | ({"resumed": resumed()} if size == 2 else {})


def resumed():
    """A run that goes back to its state after half of its updates, in a new program."""
    first = run_of("token gate", shard=True)
    first.evaluate()
    for _ in range(UPDATES // 2):
        first.train_batch()
    first.evaluate()
    whole = [copy.deepcopy(first.state())]  # as it comes from a file
    torch.distributed.broadcast_object_list(whole, src=0)
    second = run_of("token gate")
    second.restore(whole[0])
    for run in (first, second):
        for _ in range(UPDATES // 2):
            run.train_batch()
        run.evaluate()
    return {"rows": (first.rows, second.rows), "parameters": (first.state()["policy"], second.state()["policy"])}


def command(arguments, what=None, at=None):
    """Run the command of token reversal; rank 1 gets a signal from itself after some updates."""
    from simulations.reversal.__main__ import reversal

    if what is not None and os.environ["RANK"] == "1":
        step = RankedReversal.train_batch

        def train_batch(run):
            if run.update == at:
                os.kill(os.getpid(), getattr(signal, what))
            step(run)

        RankedReversal.train_batch = train_batch
    main(reversal, "simulations.reversal", arguments)
