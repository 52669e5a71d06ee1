"""The Kondo gate: its theory in closed form, and the gate itself for NumPy arrays and torch tensors.

The front door, ``import kondo_theory as kt``: what one needs first, and the rooms behind it. A name is imported when
it is used, so that the door itself loads nothing: NumPy comes with the gate, SciPy with the closed forms, torch with
:class:`ScreenedStep`, :class:`AnswerStep` and :func:`measure_flops`, SymPy with :func:`derive`.

A name that two rooms share is called by its room: ``kt.gambling.drift``, ``kt.token_trap.drift``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kondo_theory import (
        advantage,
        advice,
        approximate,
        claims,
        contexts,
        cost,
        derivations,
        gambling,
        gate,
        geometry,
        moments,
        screening,
        token_trap,
        training,
    )
    from kondo_theory.advantage import group_advantage
    from kondo_theory.advice import advise
    from kondo_theory.claims import CLAIMS, derive, get_claims
    from kondo_theory.cost import speedup
    from kondo_theory.gambling import fixed_point
    from kondo_theory.gate import Gate, calibrated_price, delight, gate_probability, quantile_price, select
    from kondo_theory.geometry import backward_passes_to_align, forward_efficiency, learning_time
    from kondo_theory.moments import gradient_moments
    from kondo_theory.screening import RULES, screen_context
    from kondo_theory.token_trap import critical_rate, stall_point
    from kondo_theory.training import Answers, AnswerStep, ScreenedStep, Screening, StreamingGate, measure_flops

__version__ = "0.1.0"

_NAMES = {
    "advantage": ("group_advantage",),
    "advice": ("advise",),
    "approximate": (),
    "claims": ("CLAIMS", "derive", "get_claims"),
    "contexts": (),
    "cost": ("speedup",),
    "derivations": (),
    "gambling": ("fixed_point",),
    "gate": ("Gate", "calibrated_price", "delight", "gate_probability", "quantile_price", "select"),
    "geometry": ("backward_passes_to_align", "forward_efficiency", "learning_time"),
    "moments": ("gradient_moments",),
    "screening": ("RULES", "screen_context"),
    "token_trap": ("critical_rate", "stall_point"),
    "training": ("AnswerStep", "Answers", "ScreenedStep", "Screening", "StreamingGate", "measure_flops"),
}
"""Each room, and what the door takes from it; the imports above say the same to type checkers (a test compares)."""

_ROOM_OF = {name: room for room, names in _NAMES.items() for name in names}

__all__ = [
    "CLAIMS",
    "RULES",
    "AnswerStep",
    "Answers",
    "Gate",
    "ScreenedStep",
    "Screening",
    "StreamingGate",
    "advantage",
    "advice",
    "advise",
    "approximate",
    "backward_passes_to_align",
    "calibrated_price",
    "claims",
    "contexts",
    "cost",
    "critical_rate",
    "delight",
    "derivations",
    "derive",
    "fixed_point",
    "forward_efficiency",
    "gambling",
    "gate",
    "gate_probability",
    "geometry",
    "get_claims",
    "gradient_moments",
    "group_advantage",
    "learning_time",
    "measure_flops",
    "moments",
    "quantile_price",
    "screen_context",
    "screening",
    "select",
    "speedup",
    "stall_point",
    "token_trap",
    "training",
]


def __getattr__(name: str) -> Any:
    """Import a room, or a name from its room, when it is first used."""
    if name in _NAMES:
        return import_module(f"{__name__}.{name}")
    if name in _ROOM_OF:
        globals()[name] = found = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
        return found
    hint = ""
    if not name.startswith("_"):  # what the import system asks for in passing
        from kondo_theory.words import nearest

        hint = nearest(name, __all__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    """Return what the door shows: its names and the rooms."""
    return sorted(__all__)
