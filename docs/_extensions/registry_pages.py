"""Pages written from the package itself: the theory from the registry of claims, the API from the modules."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import kondo_theory
import paper_figs
import simulations
from kondo_theory.claims import CLAIMS, FAMILIES, SOURCES, Claim

PACKAGES = {
    kondo_theory: "What can be proved.",
    simulations: "What could refute it.",
    paper_figs: "The figures.",
}


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx reads its sources."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir)))
    app.connect("autodoc-process-docstring", _absolute_values)
    return {"parallel_read_safe": True}


def _absolute_values(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let |x| in a docstring be an absolute value, which reStructuredText takes for a substitution."""
    lines[:] = [
        "".join(
            part if odd % 2 else part.replace("|", r"\|") for odd, part in enumerate(re.split(r"(``.*?``)", line))
        )
        for line in lines
    ]


def write(docs: Path) -> None:
    """Write theory.md and the pages of api/."""
    _keep(docs / "theory.md", theory(docs))
    for package, what in PACKAGES.items():
        _keep(docs / "api" / f"{package.__name__}.rst", api(package, what))


def theory(docs: Path) -> str:
    """Return the theory as a page: the claims by family, each with its regime, its source, its rule and its proof."""
    lines = [
        "# The theory",
        "Every claim of the package, as `kondo verify` judges it: proved, simulated or measured. Delight χ is "
        "advantage times surprisal, −log π of the chosen action in nats; the gate opens with probability "
        "σ((χ − λ)/η) at price λ and temperature η, or keeps the top ρ of a batch. PG is the policy gradient with "
        "every sample, DG weights samples by σ(χ/η), zero price keeps χ > 0. K arms, p the probability of the right "
        "one, ε = 1 − p, b the baseline, Var_∥ and Var_⊥ a sample's variance along and across the true gradient.",
        "This page is written from `kondo_theory.claims`; a test holds every formula in it against the derivation.",
    ]
    family = ""
    for claim in CLAIMS.values():
        if FAMILIES[claim.id] != family:
            family = FAMILIES[claim.id]
            lines.append(f"## {family}")
        lines += _claim(claim, docs)
    lines.append("## Sources")
    lines += [f"* {key}: {text}" for key, text in SOURCES.items()]
    return "\n\n".join(lines) + "\n"


def _claim(claim: Claim, docs: Path) -> list[str]:
    proof = f"[the proof](proofs/{claim.id}.md), " if (docs / "proofs" / f"{claim.id}.md").exists() else ""
    return [
        f"### {claim.id}",
        claim.statement,
        f"*Regime.* {claim.regime}",
        f"*Source.* {claim.source}. *Judged by* {claim.rule.statistic}.",
        f"See {proof}`kondo verify --claim {claim.id}`.",
    ]


def api(package: ModuleType, what: str) -> str:
    """Return the page of a package: every public module with the names that it lists, in reStructuredText."""
    name = package.__name__
    lines = [name, "=" * len(name), "", what, ""]
    for module in _modules(package):
        doc = (module.__doc__ or "").strip().partition("\n")[0].rstrip(":")
        if module.__name__ == name or not module.__all__:
            continue
        lines += [module.__name__, "-" * len(module.__name__), "", doc, ""]
        for name_of in module.__all__:
            value = getattr(module, name_of)
            if callable(value) and getattr(value, "__module__", None) == module.__name__:
                kind = "autoclass" if isinstance(value, type) else "autofunction"
                lines += [f".. {kind}:: {module.__name__}.{name_of}", ""]
    return "\n".join(lines)


def _modules(package: ModuleType) -> list[ModuleType]:
    """Return the public modules of a package, itself first, by name."""
    found = [package]
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            found.append(importlib.import_module(info.name))
    return [module for module in found if hasattr(module, "__all__")]


def _keep(path: Path, text: str) -> None:
    """Write a page where it changed, so that Sphinx reads again only what did."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
