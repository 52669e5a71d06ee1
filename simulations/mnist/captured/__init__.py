"""MNIST's updates recorded and replayed: :class:`~.program.CapturedProgram`.

May import what :mod:`simulations.mnist` may, and its training; it must never know claims or figures.
"""

from simulations.mnist.captured.program import CapturedProgram

__all__ = ["CapturedProgram"]
