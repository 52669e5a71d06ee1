"""Three explorers of the page: what sliders change, computed here on grids from the closed forms of ``kondo_theory``.

``grids`` has the pieces and how they travel in the page; ``geometry``, ``gambling`` and ``tokens`` fill them.
``templates/explorers.js`` draws what is in the grids and computes nothing.
"""

from functools import cache

from simulations.report.explorers.gambling import gambling
from simulations.report.explorers.geometry import geometry
from simulations.report.explorers.grids import Explorer
from simulations.report.explorers.tokens import tokens

__all__ = ["Explorer", "explorers"]


@cache
def explorers() -> tuple[Explorer, ...]:
    """Return the explorers in the order of the page; computing their grids takes seconds, once."""
    return geometry(), gambling(), tokens()
