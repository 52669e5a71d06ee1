"""Which rules a step takes, at its level and with its gate, and what they need of the answers."""

from __future__ import annotations

from functools import partial

from kondo_theory.gate import Gate
from kondo_theory.screening import Rule, ScreeningRule, score_function
from kondo_theory.training.selection import require_gate
from kondo_theory.training.streaming import StreamingGate
from kondo_theory.words import choice

__all__ = ["LEVELS", "needs_batch", "needs_entropy", "needs_log_prob", "of_groups", "registered", "require_rule"]

LEVELS = ("row", "token", "group")
_DECIDE_ON = {"row": ("sample", "answer", "prompt"), "token": ("sample", "token"), "group": ("sample", "prompt")}


def registered(rule: str | Rule) -> ScreeningRule | None:
    """Return the registered rule that a name means, or that a function is but for given parameters; None of others.

    Raises
    ------
    TypeError, ValueError
        If it is neither a name nor a function, or there is none of this name.
    """
    found = score_function(rule)
    while isinstance(found, partial):
        found = found.func
    return found if isinstance(found, ScreeningRule) else None


def require_rule(rule: str | Rule, level: str, gate: Gate | StreamingGate | None) -> None:
    """Refuse a rule that means nothing at a level, or by which a gate would not do what it says.

    A function is taken at every level and with every gate, for what it decides on nobody knows, but for none: it may
    drop, as scores of −∞ do. A rule that only ranks may go without a gate, where all is kept.

    Parameters
    ----------
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or a function like them.
    level : {"row", "token", "group"}
    gate : Gate, StreamingGate or None

    Raises
    ------
    TypeError
        If the rule is neither a name nor a function, or the gate is none.
    ValueError
        If a name is unknown, the rule decides on something else than the level keeps or drops, it can drop
        and there is no gate, no score is above the gate's price, or a group's sum of positive scores would not say
        what the rule drops.
    """
    choice("level", level, LEVELS)
    require_gate(gate)
    found = registered(rule)
    if gate is None and (found is None or found.drops):
        raise ValueError(
            "a rule that can drop belongs to a gate, for without one all that has an advantage is kept; got rule"
            f" {_name(rule)} and no gate: Gate(rate=1.0) drops what the rule drops, and nothing else"
        )
    if found is None:
        return
    if found.granularity not in _DECIDE_ON[level]:
        allowed = " or ".join(f"{each}s" for each in _DECIDE_ON[level])
        raise ValueError(
            f"rule must decide on {allowed} at level {level!r}, got {_name(rule)}, which decides on"
            f" {found.granularity}s"
        )
    if isinstance(gate, Gate) and gate.price is not None and not gate.temperature and gate.price >= found.highest:
        raise ValueError(
            f"price must be below {found.highest:g}, which no score by rule {_name(rule)} exceeds, for a gate keeps"
            f" what is above its price; got {gate.price:g}: Gate(rate=1.0) keeps all that the rule does not drop"
        )
    if level == "group" and found.granularity == "sample" and found.drops and found.highest <= 0:
        raise ValueError(
            f"rule must have scores above 0 at level 'group', where a group's score is the sum of its positive ones,"
            f" got {_name(rule)}, which has 0 for what it does not drop: every group would score 0"
        )


def needs_log_prob(rule: str | Rule) -> bool:
    """Return whether a screening rule looks at log-probabilities or entropies at all; a function is taken to."""
    found = registered(rule)
    return found is None or bool({"surprisal", "entropy"}.intersection(found.inputs))


def needs_entropy(rule: str | Rule) -> bool:
    """Return whether a screening rule looks at the policy's entropy; a function is taken not to."""
    found = registered(rule)
    return found is not None and "entropy" in found.inputs


def needs_batch(rule: str | Rule) -> bool:
    """Return whether a screening rule scores a sample by others of the batch; a function is taken not to."""
    found = registered(rule)
    return found is not None and found.of_batch


def of_groups(rule: str | Rule) -> bool:
    """Return whether a screening rule scores an answer by others of its group, which is the last axis."""
    found = registered(rule)
    return found is not None and found.of_batch and found.granularity in ("answer", "prompt")


def _name(rule: str | Rule) -> str:
    """Return a rule's name as an error shows it, that of a registered function too."""
    found = registered(rule)
    return repr(found.name if found is not None and found.name else rule)
