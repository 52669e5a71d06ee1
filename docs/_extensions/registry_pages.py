"""Pages that are written from the package itself: the theory from the registry of claims, the API from the modules."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import kondo_theory
import paper_figs
import simulations
from kondo_theory.claims import CLAIMS, FAMILIES

ROOMS = (kondo_theory, simulations, paper_figs)


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx reads its sources."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir)))
    return {"parallel_read_safe": True}


def write(docs: Path) -> None:
    """Write theory.md and the pages of api/."""
    _keep(docs / "theory.md", theory())
    for package in ROOMS:
        for name, text in api(package).items():
            _keep(docs / "api" / f"{name}.md", text)


def _keep(path: Path, text: str) -> None:
    """Write a page where it changed, so that Sphinx reads again only what did."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
