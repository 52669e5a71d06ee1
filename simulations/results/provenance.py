"""What identifies a run but does not reproduce: the commit of the sources, versions, device, platform and date."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["commit", "provenance"]

_PACKAGES = ("kondo-theory", "numpy", "scipy", "numba", "sympy", "torch", "pandas", "pyarrow")


def provenance(device: str) -> dict[str, Any]:
    """Return versions, commit, device, platform and date (UTC) as JSON values."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "commit": commit(),
        "device": device,
        "platform": platform.platform(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Return the git commit of the source tree, with ``-dirty`` if it was changed, or ``unknown`` outside one."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        # An installed copy may lie inside somebody else's repository: only our own tree counts.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return "unknown"
        # Untracked code counts too: a commit that lacks it could not print the numbers that it labels.
        changed = git("status", "--porcelain", "--", "kondo_theory", "simulations", "paper_figs")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
