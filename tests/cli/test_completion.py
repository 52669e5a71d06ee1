"""What the shell completes, against what the modules hold, and that completing loads nothing heavy."""

import inspect
import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from kondo_theory.claims import CLAIMS
from kondo_theory.screening import SAMPLE_RULES
from paper_figs.catalogue import FIGURES
from paper_figs.parameters import defaults
from simulations.cli import names
from simulations.cli.main import kondo
from simulations.mnist import config as mnist
from simulations.mnist.studies import STUDIES as MNIST_STUDIES
from simulations.reversal import config as reversal
from simulations.reversal.objectives import REWARDS, TASKS
from simulations.reversal.studies import STUDIES as REVERSAL_STUDIES
from simulations.sweeps.grid import load_cell
from simulations.sweeps.named.catalogue import SWEEPS


def completed(line, incomplete=""):
    """The words that the shell offers after a line."""
    shell = ShellComplete(kondo, {}, "kondo", "_KONDO_COMPLETE")
    return [item.value for item in shell.get_completions(line.split(), incomplete) if item.type == "plain"]


DERIVED = [claim.id for claim in CLAIMS.values() if claim.derived]
WHOLE = {
    "": ["verify", "report", "derive", "figures", "sweep", "experiment", "data", "bench", "advise"],
    "experiment": ["mnist", "reversal", "language-model"],
    "data": ["check", "fetch"],
    "verify --claim": list(CLAIMS),
    "verify --claim gate-law --claim": list(CLAIMS),
    "derive": DERIVED,
    "figures": list(FIGURES),
    "figures gate-law": [name for name in FIGURES if name != "gate-law"],
    "sweep --preset": ["smoke", "quick", "paper"],
    "verify --device": ["auto", "cpu", "cuda"],
    "experiment mnist --method": list(mnist.METHODS),
    "experiment mnist --rule": list(SAMPLE_RULES),
    "experiment mnist --study": list(MNIST_STUDIES),
    "experiment reversal --method": list(reversal.METHODS),
    "experiment reversal --rule": list(reversal.RULES),
    "experiment reversal --reward": list(REWARDS),
    "experiment reversal --task": list(TASKS),
    "experiment reversal --study": [
        *REVERSAL_STUDIES,
        "scaling",
        "step-times",
        "stale",
        "stall-noise",
        "row-gates",
        "screening-ties",
    ],
}


@pytest.mark.parametrize("line", WHOLE)
def test_every_name_is_offered(line):
    assert completed(line) == WHOLE[line]


@pytest.mark.parametrize(
    ("line", "incomplete", "words"),
    [
        ("verify --claim", "gate-", ["gate-law"]),
        ("figures", "mnist-q", ["mnist-quality"]),
        ("sweep", "gate", ["gate-frequency"]),
        ("sweep gate-frequency --set", "ex", ["excess="]),
        ("sweep --set", "exces", ["excess="]),
        ("verify", "--res", ["--results"]),
        ("verify --claim", "χ", []),
    ],
)
def test_what_begins_so_is_offered(line, incomplete, words):
    assert completed(line, incomplete) == words


def test_every_sweep_and_every_keyword_of_its_cell_is_offered():
    assert sorted(completed("sweep")) == sorted(SWEEPS)
    for name, sweep in SWEEPS.items():
        keys = inspect.signature(load_cell(sweep.function_name)).parameters
        assert completed(f"sweep {name} --set") == [f"{key}=" for key in keys], name


def test_every_parameter_of_a_figure_is_offered():
    for name in FIGURES:
        assert completed(f"figures {name} --set") == [f"{key}=" for key in defaults(name)], name
    assert set(completed("figures --set")) == {f"{key}=" for name in FIGURES for key in defaults(name)}


def test_of_several_figures_only_the_parameters_that_all_take_are_offered():
    assert completed("figures zero-price-geometry dg-noise-ratio --set") == ["n_arms=", "baseline="]
    assert completed("figures dg-noise-ratio --set n_arms=50 --set", "b") == ["baseline="]
    assert completed("figures zero-price-geometry mnist-digits --set") == []


def test_where_no_sweep_begins_so_it_may_be_a_file():
    shell = ShellComplete(kondo, {}, "kondo", "_KONDO_COMPLETE")
    assert [(item.value, item.type) for item in shell.get_completions(["sweep"], "my")] == [("my", "file")]


def test_what_is_not_there_has_no_names(tmp_path):
    assert names.keys_of("simulations.mnist.config", "NOTHING") == []
    assert names.parameters_of("simulations.sweeps.cells.mnist:nothing") == []


def test_completing_loads_nothing_heavy_and_the_shell_gets_it():
    plain = ("verify --claim", "derive", "figures", "figures --set", "sweep", "sweep --set")
    lines = [*plain, *(f"experiment mnist {option}" for option in ("--method", "--rule", "--study"))]
    code = f"""
import os, sys
from simulations.cli.main import main
for line in {lines!r}:
    words = ["kondo", *line.split()]
    os.environ.update(COMP_WORDS=" ".join([*words, ""]), COMP_CWORD=str(len(words)), _KONDO_COMPLETE="bash_complete")
    try:
        main([])
    except SystemExit as ended:
        assert not ended.code, line
heavy = {{"numpy", "scipy", "pandas", "torch", "numba", "sympy", "matplotlib", "rich"}} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert (run.returncode, run.stderr) == (0, "")
    offered = set(run.stdout.split())
    assert {
        f"plain,{word}" for word in (*CLAIMS, *FIGURES, *SWEEPS, *SAMPLE_RULES, *mnist.METHODS, "excess=", "n_arms=")
    } <= offered
