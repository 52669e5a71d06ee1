"""The inequalities of the claims as functions of random parameters: each returns margins that must not be negative.

``STATEMENTS`` are what the claims say, at points drawn over their whole regime; ``REFUTED`` are stronger statements
that were once made or suggest themselves, and that random points do refute: they show that the search can find.
One module a family of claims; each is found by being here.
"""

import importlib
import pkgutil

from falsification.statements import REFUTED, STATEMENTS, Margins

__all__ = ["REFUTED", "STATEMENTS", "Margins"]

for _module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
