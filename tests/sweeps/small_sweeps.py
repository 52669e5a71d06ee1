"""Sweeps that take a moment, a script that runs one in a process of its own, and what it may not leave behind."""

import os
import subprocess
import sys
from pathlib import Path

import sweep_cells as cells

from simulations.sweeps import Sweep

HERE = Path(__file__).parents[1]
PRODUCT = Sweep("product", cells.product, ({"a": tuple(range(20)), "b": tuple(i / 4 for i in range(10))},))
DRAWS = Sweep("draws", cells.draws, ({"n": tuple(range(1, 61)), "seed": (0, 1)},))


def temporary_files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.startswith(".") and path.name != ".lock")


SCRIPT = """
import sys
from pathlib import Path
import simulations.sweeps.run as runs
import sweep_cells as cells
from simulations.sweeps import Sweep
runs._FLUSH_SECONDS = 0.01
runs._CHUNK_SECONDS = 0.02
sweep = Sweep("slow", cells.product, ({"a": tuple(range(40)), "b": (1.0, 2.0, 3.0), "pause": (0.02,)},))
out, workers = Path(sys.argv[1]), int(sys.argv[2])
runs.run_sweep(sweep, out, workers=workers, progress=lambda done, total: print(done, flush=True))
"""


def start(script: Path, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, str(script), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
