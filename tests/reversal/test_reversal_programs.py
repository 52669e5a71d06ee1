"""Programs of several seeds: which configurations share one, resuming, refusals, a seed that diverges."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, checkpoint_at, tiny

from simulations.errors import ReportedError
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.side_by_side import runs, seeds
from simulations.reversal.training import tidy

SOFT = tiny(ReversalConfig("token-gate", price=0.0, temperature=1.0), updates=9)  # draws from every stream
PAIR = [replace(SOFT, seed=seed) for seed in (0, 1)]


class KilledError(Exception):
    """Stands for a signal."""


def test_a_program_is_up_to_five_seeds_of_one_method_and_fewer_at_large_batches():
    configs = [replace(method, seed=seed) for seed in range(7) for method in QUALITY_METHODS[:2]]
    assert runs.programs(configs) == [[0, 2, 4, 6, 8], [10, 12], [1, 3, 5, 7, 9], [11, 13]]
    large = [replace(config, prompts=40) for config in configs[::2]]
    assert runs.programs(large) == [[0, 1], [2, 3], [4, 5], [6]]
    assert runs.programs([replace(config, prompts=400) for config in large]) == [[each] for each in range(7)]


def test_the_same_seeds_give_the_same_table_for_any_number_of_workers():
    configs = [tiny(config, seed=seed) for config in (QUALITY_METHODS[1], QUALITY_METHODS[3]) for seed in (0, 1)]
    tables = []
    for workers in (1, 2):
        curves = {index: curve for index, curve, _ in runs.run_many(configs, workers=workers)}
        tables.append(tidy(configs, [curves[index] for index in range(len(configs))]))
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert tables[0].groupby("label")["seed"].nunique().tolist() == [2, 2]
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        list(runs.run_many(configs, workers=0))


def test_programs_make_no_tensor_on_the_default_device():
    """Under a meta default device a tensor made without a device has no values: the curve would differ."""
    for config in (SOFT, tiny(ReversalConfig("row-gate", rate=0.2)), tiny(ReversalConfig("ppo"))):
        (plain, _), *_ = seeds.train([config], CPU)
        with torch.device("meta"):
            (elsewhere, _), *_ = seeds.train([config], CPU)
        pd.testing.assert_frame_equal(plain, elsewhere, check_exact=True)


def test_a_program_that_was_cut_off_goes_on_to_the_same_curves(tmp_path, monkeypatch):
    checkpoint, train = checkpoint_at(tmp_path / "program.pt"), seeds.ReversalSeeds.train_batch
    whole = seeds.train(PAIR, CPU)

    def killed_at_seven(self):
        if self.update == 7:
            raise KilledError
        train(self)

    with monkeypatch.context() as patch:
        patch.setattr(seeds.ReversalSeeds, "train_batch", killed_at_seven)
        with pytest.raises(KilledError):
            seeds.train(PAIR, CPU, checkpoint)
    state = checkpoint.load()
    assert state["update"] == 6
    for (curve, timings), (expected, _) in zip(seeds.train(PAIR, CPU, checkpoint), whole, strict=True):
        pd.testing.assert_frame_equal(curve, expected, check_exact=True)
        assert (timings.diff().iloc[1:][["sampling", "training", "evaluation"]] > 0).all(axis=None)
    for stream in ("prompts", "actions", "gate", "evaluation"):  # negative controls: a lost state changes the curve
        lost = {**state["generators"], stream: [torch.Generator().manual_seed(99).get_state()] * 2}
        checkpoint.save({**state, "generators": lost})
        assert not seeds.train(PAIR, CPU, checkpoint)[0][0].equals(whole[0][0])
    with pytest.raises(ReportedError, match="the checkpoint belongs to other runs"):
        seeds.train(PAIR[:1], CPU, checkpoint)


def test_programs_in_processes_continue_from_their_directory(tmp_path):
    configs = [tiny(method, seed=seed) for method in QUALITY_METHODS[:2] for seed in (0, 1)]
    with CheckpointDirectory(tmp_path / "runs", {"runs": "four"}) as directory:
        first = {index: curve for index, curve, _ in runs.run_many(configs, checkpoints=directory)}
        assert sorted(path.name for path in directory.path.glob("*.pt")) == ["program-0000.pt", "program-0001.pt"]
        again = {index: curve for index, curve, _ in runs.run_many(configs, checkpoints=directory)}
    assert sorted(first) == [0, 1, 2, 3]
    for index, curve in first.items():
        pd.testing.assert_frame_equal(curve, again[index], check_exact=True)


@pytest.mark.parametrize("method", [ReversalConfig("pg"), ReversalConfig("ppo")])
def test_a_diverged_program_stops_and_names_its_last_good_checkpoint(method, tmp_path):
    configs = [tiny(method, learning_rate=1e38, eval_every=1, updates=20, seed=seed) for seed in (4, 5)]
    message = (
        rf"{method.label.split('(')[0]}.* seed 4, .* 1e\+38 diverged after update \d+: .*(not finite|loss is nan)"
    )
    with pytest.raises(ReportedError, match=message + r".*none was saved; ReversalConfig\(method="):
        seeds.train(configs, CPU)
    good, run = checkpoint_at(tmp_path / "program.pt"), seeds.ReversalSeeds(configs, CPU)
    run.evaluate()
    good.save(run.state())
    with pytest.raises(ReportedError, match=message + r".*last good checkpoint: .*program\.pt, of update \d"):
        seeds.train(configs, CPU, good)
    assert all(parameter.isfinite().all() for parameter in good.load()["policies"].values())


def test_the_seed_that_diverged_is_named():
    run = seeds.ReversalSeeds(PAIR, CPU)
    run.step.network.stacked.head.weight.data[1, 0] = torch.nan
    for act in (run.train_batch, run.evaluate):
        with pytest.raises(seeds.DivergedError) as diverged:
            act()
        assert diverged.value.place == 1
    assert "seed 1, " in str(run.diverged(diverged.value, None))


def test_configurations_that_share_no_program_are_refused():
    with pytest.raises(ValueError, match="differ in their seeds alone"):
        seeds.train([SOFT, replace(SOFT, updates=7)], CPU)
    with pytest.raises(ValueError, match="differ in their seeds alone"):
        seeds.train([], CPU)
    with pytest.raises(ValueError, match=r"seeds must differ, got \[0, 0\]"):
        seeds.train([SOFT, SOFT], CPU)
