"""Blocks of Python in the documents compile, import what is there, and run where it is quick; so do fast commands."""

import ast
import importlib

import numpy as np
import pytest
import torch
from documented_commands import BLOCK, ROOT, commands_in, documents, executed
from matplotlib.figure import Figure

import paper_figs
from kondo_theory import Gate, ScreenedStep
from paper_figs.parameters import checked
from simulations import results

OURS = ("kondo_theory", "simulations", "paper_figs")
BLOCKS = {
    f"{page.relative_to(ROOT).as_posix()}, {number}": code
    for page in documents()
    for number, code in enumerate(c for language, c in BLOCK.findall(page.read_text("utf-8")) if language == "python")
}


def found_in(module, name):
    """Whether a module has a name; one that an extra makes, which is not here, is there too."""
    try:
        return hasattr(module, name)
    except ImportError as error:
        return "pip install 'kondo-theory[" in str(error)


def missing(code):
    """What a block imports of the project that is not there, with the modules that it calls so."""
    for node in ast.walk(ast.parse(code)):
        names = [] if not isinstance(node, ast.Import | ast.ImportFrom) else [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in OURS:
            module = importlib.import_module(node.module)
            yield from (f"{node.module}.{name}" for name in names if not found_in(module, name))
        elif isinstance(node, ast.Import):
            for name in names:
                if name.partition(".")[0] in OURS:
                    importlib.import_module(name)


def test_every_block_is_python_and_imports_what_is_there():
    assert len(BLOCKS) >= 8
    assert {name: found for name, code in BLOCKS.items() if (found := list(missing(code)))} == {}


def test_negative_control_a_name_that_is_gone_is_noticed():
    assert list(missing("from kondo_theory import Gate, Gat")) == ["kondo_theory.Gat"]
    with pytest.raises(SyntaxError):
        list(missing("step.update(observations"))
    with pytest.raises(ModuleNotFoundError):
        list(missing("import kondo_theory.gates"))


def run(name, **given):
    exec(compile(BLOCKS[name], name, "exec"), given)
    return given


@pytest.fixture
def loop():
    """What stands around the lines of a training loop."""
    policy = torch.nn.Linear(4, 3)
    optimizer = torch.optim.SGD(policy.parameters(), 0.1)
    observations = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
    step = ScreenedStep(policy, optimizer, Gate(rate=0.03))
    return {
        "policy": policy, "optimizer": optimizer, "observations": observations, "step": step, "torch": torch,
        "screening": step.act(observations), "advantage": torch.linspace(-1.0, 1.0, 100),
        "reward_of": lambda actions: (actions == 0).float(), "baseline": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["README.md, 1", "docs/tutorials/loop.md, 0"])
def test_the_training_loops(name, loop):
    before = loop["policy"].weight.detach().clone()
    assert run(name, **loop)["step"].counts.backward_samples == 3
    assert not torch.equal(loop["policy"].weight, before)


def test_the_figures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {}

    def draw(name, ax=None, width=None, **parameters):
        asked[name] = checked(name, parameters), ax
        return Figure()

    monkeypatch.setattr(paper_figs, "draw", draw)  # drawing takes seconds, and other tests do
    run("docs/command-line.md, 0", ax="mine")
    assert asked == {"zero-price-geometry": ({"n_arms": 50}, None), "gambling-false-positives": ({}, "mine")}
    assert (tmp_path / "geometry.pdf").exists()


def test_the_own_sweep_and_the_loaded_table(monkeypatch):
    found = run("docs/sweeps.md, 1", __name__="mine")["kept_delight"](rate=0.1, batch_size=100, n_batches=200)
    assert 0.1 < found["delight"] < 0.3
    assert np.isfinite(found["standard_error"])
    real = results.load
    monkeypatch.setattr(results, "load", lambda path: real(results.COMMITTED / "alignment.parquet"))
    assert len(run("docs/sweeps.md, 2")["table"].frame) > 0


FAST = {
    "kondo --help": "Say which gate to put on answers",
    "kondo verify --list": "token-trap",
    "kondo sweep --list": "gambling-drift",
    "kondo figures --list": "zero-price-geometry",
    "kondo derive gate-law --markdown": (ROOT / "docs" / "proofs" / "gate-law.md").read_text(encoding="utf-8"),
}
"""Command, as the documents have it → what it prints."""


def test_fast_commands_are_documented():
    documented = {line.partition(" | ")[0] for page in documents() for line in commands_in(page.read_text("utf-8"))}
    assert set(FAST) <= documented


@pytest.mark.parametrize("line", FAST)
def test_fast_commands_run_as_they_stand(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said = executed(line.split())
    assert code == 0
    assert FAST[line] in said
    assert list(tmp_path.iterdir()) == []
