"""The package's closed form behind every result that a derivation concludes, one module a family of claims.

``CLOSED_FORMS[claim][result]`` says how to draw the result's symbols and which function of the package computes it. A
test demands an entry for every result of every derivation and compares the two at random parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["ClosedForm", "Draw"]

Draw = Callable[[np.random.Generator], Mapping[str, float]]


@dataclass(frozen=True)
class ClosedForm:
    """How a concluded formula is compared with the package.

    Attributes
    ----------
    draw : callable
        Draws a value for each free symbol of the formula, by the symbol's name.
    function : callable
        Takes those values as keywords and returns the package's number: from a public function of ``kondo_theory``,
        never from the formula itself.
    relative : float
        Largest relative difference; rounding unless there is a reason.
    """

    draw: Draw
    function: Callable[..., float]
    relative: float = 1e-10
