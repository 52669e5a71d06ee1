"""The gate in TRL's GRPO trainer: answers that are not kept never reach its training pass.

:class:`GatedGRPO` goes in front of TRL's trainer, or of a subclass of it; ``GatedGRPOTrainer`` is the two together,
made when it is asked for. TRL, of the extra ``trl``, is imported for that alone.
"""

from __future__ import annotations

from typing import Any

from kondo_theory.training.grpo.trainer import GatedGRPO

__all__ = ["GatedGRPO"]


def __getattr__(name: str) -> Any:
    """Make ``GatedGRPOTrainer`` when it is first asked for."""
    if name != "GatedGRPOTrainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from trl import GRPOTrainer
    except ImportError as error:
        raise ImportError("GatedGRPOTrainer needs TRL: pip install 'kondo-theory[trl]'") from error
    made = type(name, (GatedGRPO, GRPOTrainer), {"__module__": __name__, "__doc__": GatedGRPO.__doc__})
    globals()[name] = made
    return made
