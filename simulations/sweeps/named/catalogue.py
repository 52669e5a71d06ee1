"""The named sweeps. Each is data: a function by its name, and the grids to call it on; presets change sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from simulations.sweeps.grid import Sweep
from simulations.sweeps.named.contexts import CONTEXTS
from simulations.sweeps.named.experiments import EXPERIMENTS
from simulations.sweeps.named.gambling import GAMBLING
from simulations.sweeps.named.gates import GATES
from simulations.sweeps.named.tokens import TOKENS

__all__ = ["SWEEPS"]

SWEEPS: Mapping[str, Sweep] = MappingProxyType(
    {sweep.name: sweep for sweep in (*GATES, *CONTEXTS, *GAMBLING, *TOKENS, *EXPERIMENTS)}
)
"""By name."""
