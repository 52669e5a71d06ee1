"""docs/trl.md: its snippets run, on answers that TRL samples, and what it lists is what there is."""

import re
import sys
from pathlib import Path

import pytest
import torch
from grpo_trainers import GROUP, build, data, model, quick_and_quiet, reward, settings, tokenizer, trl  # noqa: F401

from kondo_theory.training.grpo import GatedGRPO, GatedGRPOTrainer, trainer
from kondo_theory.training.grpo.batches import LOSSES

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trl.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_trainer_trains_and_logs_what_is_said(tmp_path):
    space = {"model": model(torch.float32), "reward": reward, "dataset": data(), "tokenizer": tokenizer()}
    space["config"] = settings(tmp_path, gradient_accumulation_steps=4, max_steps=2)
    before = [each.clone() for each in space["model"].parameters()]
    exec(SNIPPETS[0], space)
    assert any(not torch.equal(*pair) for pair in zip(before, space["model"].parameters(), strict=True))
    logged = space["trainer"].state.log_history[0]
    assert {name for name in logged if name.startswith("kondo/")} == set(re.findall(r"`(kondo/\w+)`", PAGE))
    assert logged["kondo/rows_kept"] <= 4 * GROUP / 8


def test_a_trainer_of_ones_own_is_gated(tmp_path):
    class MyTrainer(trl.GRPOTrainer):
        pass

    space = {"MyTrainer": MyTrainer}
    exec(SNIPPETS[1], space)
    assert [each for each in space["Trainer"].__mro__ if each in (GatedGRPO, MyTrainer, trl.GRPOTrainer)] == [
        GatedGRPO,
        MyTrainer,
        trl.GRPOTrainer,
    ]
    mine = build(space["Trainer"], tmp_path, max_steps=1)
    mine.train()
    assert mine.state.log_history[0]["kondo/rows_kept"] == 1


def test_all_losses_and_refusals_are_listed():
    assert len(SNIPPETS) == 2
    assert [name for name in (*LOSSES, *trainer._REFUSED) if f"`{name}`" not in PAGE] == []


def test_trl_has_no_other_loss():
    """Its own names, from what it says of the option."""
    said = trl.GRPOConfig.__dataclass_fields__["loss_type"].metadata["help"]
    assert set(re.findall(r"'(\w+)'", re.search(r"Supported values are (.*?)\.", said)[1])) == set(LOSSES)


def test_it_is_a_trainer_of_trl():
    assert issubclass(GatedGRPOTrainer, trl.GRPOTrainer)
    assert sys.modules["kondo_theory.training.grpo"].GatedGRPOTrainer is GatedGRPOTrainer
