"""Sweeps: a grid of configurations, one pure function, and a table that survives any interruption.

:mod:`~simulations.sweeps.grid` says what a sweep is, :mod:`~simulations.sweeps.keywords` what values an axis may
have, :mod:`~simulations.sweeps.toml` reads one from a file, :mod:`~simulations.sweeps.run` computes what is missing,
in the processes or on the Dask cluster of :mod:`~simulations.sweeps.executors`, :mod:`~simulations.sweeps.store`
keeps the results, and :mod:`~simulations.sweeps.named.catalogue` names the sweeps that come with the project.
"""

from simulations.sweeps.grid import Sweep
from simulations.sweeps.run import run_sweep

__all__ = ["Sweep", "run_sweep"]
