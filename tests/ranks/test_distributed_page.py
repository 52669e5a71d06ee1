"""Every snippet of docs/distributed.md runs, and every command in it is understood."""

import re
import shlex
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from kondo_theory.training import Answers
from simulations.mnist.__main__ import mnist
from simulations.networks.transformer import Architecture, Transformer
from simulations.ranks.placing import process_group
from simulations.reversal.__main__ import reversal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "distributed.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"^## (\S+)\n+```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^torchrun --nproc-per-node \d+ -m simulations\.(\w+) (.*)$", PAGE, re.MULTILINE)


def surroundings():
    """What a reader has before a snippet begins: a model, and one batch of eight answers."""
    model = Transformer(7, 9, Architecture(width=8, heads=2, layers=2, feed_forward=8), seed=0).double()
    with torch.no_grad():
        model.head.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    tokens = torch.randint(7, (8, 9), generator=torch.Generator().manual_seed(1))
    answered = torch.arange(9).expand(8, 9) >= 4
    answers = Answers(tokens, torch.ones_like(answered), answered)
    return {
        "model": model,
        "device": "cpu",
        "generator": torch.Generator().manual_seed(0),
        "batches": [(answers, torch.linspace(-1, 1, 8, dtype=torch.float64))] * 2,
    }


@pytest.mark.parametrize("name", ["DistributedDataParallel", "FSDP2"])
def test_a_snippet_takes_its_steps(name, monkeypatch):
    space = surroundings()
    before = {key: each.detach().clone() for key, each in space["model"].named_parameters()}
    with process_group(torch.device("cpu"), 20):
        monkeypatch.setattr(dist, "init_process_group", lambda: None)  # there is one
        exec(SNIPPETS[name], space)
        step = space["step"]
        after = {key.removeprefix("module."): each for key, each in step.policy.named_parameters()}
        stayed = [key for key, each in before.items() if torch.equal(whole(after[key]), each)]
    assert stayed == []
    assert (step.counts.updates, step.counts.kept, step.counts.forward_rows) == (2, 2, 16)


def whole(parameter):
    return parameter.full_tensor() if isinstance(parameter, DTensor) else parameter


def test_every_block_of_code_is_one_of_those():
    assert len(re.findall("^```python$", PAGE, re.MULTILINE)) == len(SNIPPETS) == 2
    assert len(re.findall("torchrun --nproc", PAGE)) == len(COMMANDS) == 4


@pytest.mark.parametrize(("name", "arguments"), COMMANDS)
def test_a_command_is_understood(name, arguments):
    command = {"reversal": reversal, "mnist": mnist}[name]
    given = command.make_context(name, shlex.split(arguments)).params
    assert given["out"].suffix == ".parquet"


def test_what_the_page_says_is_the_default():
    options = {option.name: option.default for option in reversal.params}
    assert options["timeout"] == options["checkpoint_seconds"] == 30
    assert "`--timeout` seconds (30)" in PAGE
    assert "`--checkpoint-seconds` (30)" in PAGE
