"""The MNIST bandit over the ranks of torchrun: each has a part of every batch of images.

What is drawn is drawn for all ranks on each: the run does not depend on their number, up to rounding, and is that of
:class:`simulations.mnist.training.SeedProgram` with one seed.
"""

from simulations.mnist.over_ranks.run import RankedMnist

__all__ = ["RankedMnist"]
