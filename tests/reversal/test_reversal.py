"""Token reversal: configuration, protocol, reproducibility, resuming, and what its rows say."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch

from kondo_theory.screening import RULES
from simulations.errors import ReportedError
from simulations.networks.rollouts import Rollout
from simulations.networks.transformer import Architecture
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile
from simulations.reversal import training as reversal
from simulations.reversal.config import PRESETS, QUALITY_METHODS, ReversalConfig, preset_configs

CPU = torch.device("cpu")
TINY = {
    "length": 3,
    "updates": 6,
    "eval_every": 3,
    "prompts": 3,
    "answers": 4,
    "eval_prompts": 20,
    "network": Architecture(width=8, heads=2, layers=1, feed_forward=8),
}
EVERY_METHOD = (
    *QUALITY_METHODS,
    ReversalConfig("token-gate", price=0.01, temperature=0.1),
    ReversalConfig("row-gate", price=0.0),
    *(ReversalConfig(gate, rate=0.2, rule=rule) for gate in ("token-gate", "row-gate") for rule in RULES),
)


def tiny(config, **options):
    return replace(config, **(TINY | options))


def run(config, **options):
    return reversal.run_one(tiny(config, **options), CPU)[0]


@pytest.mark.parametrize("config", EVERY_METHOD, ids=lambda config: config.label)
def test_every_method_runs_counts_and_makes_no_tensor_on_the_default_device(config):
    """Under a meta default device a tensor made without a device has no values: the curve would differ."""
    plain = run(config)
    with torch.device("meta"):
        elsewhere = run(config)
    pd.testing.assert_frame_equal(plain, elsewhere, check_exact=True)
    last = plain.iloc[-1]
    assert plain["update"].tolist() == [0, 3, 6]
    assert (last["forward_rows"], last["forward_tokens"], last["full_tokens"]) == (72, 216, 360)
    assert last["optimizer_steps"] == 6 * config.passes
    assert last["processed_tokens"] <= last["full_tokens"] * config.passes
    assert last["screening_flops"] == 0
    if config.rate is not None and config.rule != "positive-surprisal":
        units = 36 if config.method == "token-gate" else 12
        kept = max(1, math.floor(config.rate * units + 0.5)) * (36 // units)
        assert last["backward_tokens"] == 6 * kept
    if config.gate is None:
        assert last["backward_tokens"] == 216 * config.passes
        assert last["processed_tokens"] == 360 * config.passes


def test_methods_share_their_streams():
    """Differences between methods are paired: same initialisation, same first batch, same first answers."""
    first = [run(config, updates=1, eval_every=1) for config in QUALITY_METHODS]
    assert len({curve["token_error"].iloc[0] for curve in first}) == 1
    assert len({curve["train_reward"].iloc[1] for curve in first}) == 1
    assert len({run(QUALITY_METHODS[0], seed=seed)["train_reward"].iloc[1] for seed in range(4)}) > 1


def test_the_untrained_policy_is_right_half_of_the_time():
    """At M = 2, within 4 standard errors of 10,000 × 3 tokens; an error of 0.52 would be rejected."""
    error = run(QUALITY_METHODS[0], eval_prompts=10_000)["token_error"].iloc[0]
    standard_error = math.sqrt(0.25 / 30_000)
    assert abs(error - 0.5) < 4 * standard_error
    assert abs(error - 0.52) > 4 * standard_error


@pytest.mark.parametrize(("rate", "same"), [(None, True), (0.3, False)])
def test_the_first_epoch_of_ppo_has_the_gradient_of_the_policy_gradient(rate, same):
    """And a token gate, as the negative control, has not."""
    other = ReversalConfig("pg") if rate is None else ReversalConfig("token-gate", rate=rate)
    gradients = []
    for config in (ReversalConfig("ppo", epochs=1), other):
        state = reversal.ReversalRun(tiny(config, learning_rate=1e-2), CPU)
        torch.nn.init.normal_(state.step.policy.head.weight, generator=torch.Generator().manual_seed(0))
        state.train_batch()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in state.step.policy.parameters()]))
    assert (float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-5) == same


def test_the_delightful_policy_gradient_weighs_each_token_by_its_delight():
    """σ(χ/η) by hand: surprisals log 4 and log 2 at advantages 1 and −1/2, η = 2."""
    policy = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log().expand(2, 2, 2)
    rollout = Rollout(torch.zeros(2, 4, dtype=torch.int64), policy)
    advantage = torch.tensor([1.0, -0.5])
    weights = [[1 / (1 + 4 ** (-u / 2)), 1 / (1 + 2 ** (-u / 2))] for u in (1.0, -0.5)]
    coefficient, _ = reversal.objective(ReversalConfig("dg", temperature=2.0), rollout, advantage)
    torch.testing.assert_close(coefficient, advantage[:, None] * torch.tensor(weights))
    plain, _ = reversal.objective(ReversalConfig("pg"), rollout, advantage)
    assert plain.tolist() == [[1.0, 1.0], [-0.5, -0.5]]
    signs, _ = reversal.objective(ReversalConfig("pmpo", alpha=0.25), rollout, advantage)
    assert signs.tolist() == [[0.5, 0.5], [-1.5, -1.5]]


def test_errors_are_counted_by_token_and_by_sequence_sampled_and_greedily(monkeypatch):
    """Sampled: every fourth answer has its last token wrong; greedy: every second has all three wrong."""

    def answers_with_known_errors(policy, prompts, length, *, generator, greedy):
        answer = prompts.flip(1)
        if greedy:
            answer[::2] = 1 - answer[::2]
        else:
            answer[::4, -1] = 1 - answer[::4, -1]
        return Rollout(torch.cat([prompts, answer], 1), torch.zeros(len(prompts), length, 2))

    monkeypatch.setattr(reversal, "sample", answers_with_known_errors)
    row = run(ReversalConfig("pg"), updates=1).iloc[0]
    assert row["token_error"] == 5 / 60
    assert row["sequence_error"] == 5 / 20
    assert row["greedy_token_error"] == row["greedy_sequence_error"] == 10 / 20


LEARNING = {
    "length": 2,
    "updates": 120,
    "eval_every": 120,
    "learning_rate": 3e-3,
    "eval_prompts": 200,
    "network": Architecture(width=32, heads=4, layers=2, feed_forward=32),
}


@pytest.mark.parametrize(
    "config",
    [*QUALITY_METHODS[:4], ReversalConfig("ppo", epochs=2), ReversalConfig("pmpo", epochs=2)],
    ids=lambda config: config.label,
)
def test_every_method_learns(config):
    curve = run(config, **LEARNING)
    assert curve["token_error"].iloc[0] > 0.3
    assert curve["token_error"].iloc[-1] < 0.1


def test_negative_control_a_closed_gate_does_not_learn():
    curve = run(ReversalConfig("token-gate", price=1e9), **LEARNING)
    assert curve["token_error"].iloc[-1] > 0.3
    assert curve["backward_tokens"].iloc[-1] == curve["training_flops"].iloc[-1] == 0


def test_a_vocabulary_of_one_is_trivially_solved():
    for config in EVERY_METHOD:
        curve = run(config, vocab_size=1)
        errors = ["token_error", "sequence_error", "greedy_token_error", "greedy_sequence_error"]
        assert (curve[errors] == 0).all(axis=None), config.label
        assert (curve["train_reward"].iloc[1:] == 1).all()


def test_one_token_answers_work():
    for config in QUALITY_METHODS:
        assert run(config, length=1)["full_tokens"].iloc[-1] == 6 * 12


def test_the_same_seeds_give_the_same_table_for_any_number_of_workers():
    configs = [tiny(config, seed=seed) for config in (QUALITY_METHODS[1], QUALITY_METHODS[3]) for seed in (0, 1)]
    tables = []
    for workers in (1, 2):
        curves = {index: curve for index, curve, _ in reversal.run_many(configs, workers=workers)}
        tables.append(reversal.tidy(configs, [curves[index] for index in range(len(configs))]))
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert tables[0].groupby("label")["seed"].nunique().tolist() == [2, 2]
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        list(reversal.run_many(configs, workers=0))


class KilledError(Exception):
    pass


def checkpoint_at(path):
    return CheckpointFile(path, seconds=0)


@pytest.mark.parametrize(
    "config",
    [ReversalConfig("dg"), ReversalConfig("token-gate", price=0.01, temperature=0.1), ReversalConfig("ppo")],
    ids=lambda config: config.label,
)
def test_a_killed_run_goes_on_to_the_same_bytes(config, tmp_path, monkeypatch):
    config, checkpoint = tiny(config, updates=9), checkpoint_at(tmp_path / "run.pt")
    whole, plain_timings = reversal.run_one(config, CPU)
    train = reversal.ReversalRun.train_batch

    def killed_at_seven(self):
        if self.update == 7:
            raise KilledError
        train(self)

    with monkeypatch.context() as patch:
        patch.setattr(reversal.ReversalRun, "train_batch", killed_at_seven)
        with pytest.raises(KilledError):
            reversal.run_one(config, CPU, checkpoint)
    assert checkpoint.load()["update"] == 6
    resumed, timings = reversal.run_one(config, CPU, checkpoint)
    pd.testing.assert_frame_equal(whole, resumed, check_exact=True)
    assert timings["update"].tolist() == plain_timings["update"].tolist() == [0, 3, 6, 9]
    assert (timings.diff().iloc[1:][["sampling", "training", "evaluation"]] > 0).all(axis=None)
    with monkeypatch.context() as patch:
        patch.setattr(reversal.ReversalRun, "train_batch", None)  # a finished run trains no more
        again, _ = reversal.run_one(config, CPU, checkpoint)
    pd.testing.assert_frame_equal(whole, again, check_exact=True)


@pytest.mark.parametrize("stream", ["prompts", "actions", "gate", "evaluation"])
def test_negative_control_a_lost_generator_state_changes_the_resumed_curve(stream, tmp_path):
    config = tiny(ReversalConfig("token-gate", price=0.0, temperature=1.0), updates=12)
    whole, _ = reversal.run_one(config, CPU)
    half = reversal.ReversalRun(config, CPU)
    half.evaluate()
    for _ in range(6):
        half.train_batch()
        if half.update % 3 == 0:
            half.evaluate()
    checkpoint, state = checkpoint_at(tmp_path / "run.pt"), half.state()
    checkpoint.save(state)
    pd.testing.assert_frame_equal(whole, reversal.run_one(config, CPU, checkpoint)[0], check_exact=True)
    state["generators"][stream] = torch.Generator().manual_seed(99).get_state()
    checkpoint.save(state)
    assert not whole.equals(reversal.run_one(config, CPU, checkpoint)[0])


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tmp_path):
    checkpoint = checkpoint_at(tmp_path / "run.pt")
    reversal.run_one(tiny(ReversalConfig("pg")), CPU, checkpoint)
    with pytest.raises(ReportedError, match="another run, which differs in learning_rate, seed"):
        reversal.run_one(tiny(ReversalConfig("pg"), seed=3, learning_rate=1.0), CPU, checkpoint)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:200])
    with pytest.raises(ReportedError, match="is damaged"):
        reversal.run_one(tiny(ReversalConfig("pg")), CPU, checkpoint)


def test_runs_in_processes_continue_from_their_directory(tmp_path):
    configs = [tiny(QUALITY_METHODS[0], seed=seed) for seed in (0, 1)]
    with CheckpointDirectory(tmp_path / "runs", {"runs": "two"}) as directory:
        first = {index: curve for index, curve, _ in reversal.run_many(configs, checkpoints=directory)}
        assert sorted(path.name for path in directory.path.glob("*.pt")) == ["run-0000.pt", "run-0001.pt"]
        again = {index: curve for index, curve, _ in reversal.run_many(configs, checkpoints=directory)}
    for index, curve in first.items():
        pd.testing.assert_frame_equal(curve, again[index], check_exact=True)


@pytest.mark.parametrize(
    "method", [ReversalConfig("pg"), ReversalConfig("token-gate", rate=0.1), ReversalConfig("ppo")]
)
def test_a_diverged_run_stops_and_names_its_last_good_checkpoint(method, tmp_path):
    config = tiny(method, learning_rate=1e38, eval_every=1, updates=20)
    message = rf"{method.label.split('(')[0]}.* 1e\+38 diverged after update \d+: .*(not finite|loss is nan)"
    with pytest.raises(
        ReportedError, match=message + r".*last good checkpoint: none was saved; ReversalConfig\(method="
    ):
        reversal.run_one(config, CPU)
    good = checkpoint_at(tmp_path / "run.pt")
    run = reversal.ReversalRun(config, CPU)
    run.evaluate()
    good.save(run.state())
    with pytest.raises(ReportedError, match=message + r".*last good checkpoint: .*run\.pt, of update \d"):
        reversal.run_one(config, CPU, good)
    assert all(parameter.isfinite().all() for parameter in good.load()["policy"].values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "reinforce"}, "method must be one of pg, dg, .*, got 'reinforce'"),
        ({"method": "pg", "reward": "joy"}, "reward must be one of fraction, prefix, exact, got 'joy'"),
        ({"method": "token-gate"}, "needs either a rate or a price.* token-gate with rate None and price None"),
        ({"method": "row-gate", "rate": 0.1, "price": 0.0}, "either a rate or a price"),
        ({"method": "pg", "rate": 0.1}, "no other method takes one: got pg with rate 0.1"),
        ({"method": "token-gate", "rate": 1.5}, r"rate must be in \(0, 1\], got 1.5"),
        ({"method": "token-gate", "rate": 0.1, "rule": "joy"}, "rule must be one of delight, .*, got 'joy'"),
        ({"method": "token-gate", "price": 0.0, "rule": "uniform"}, "belongs to a gate at a rate, got uniform"),
        ({"method": "token-gate", "rate": 0.1, "temperature": 1.0}, "a temperature belongs to dg and to a price"),
        ({"method": "token-gate", "price": 0.0, "temperature": -1.0}, "temperature must be finite .*, got -1.0"),
        ({"method": "token-gate", "price": math.nan}, "price must be a number, got nan"),
        ({"method": "dg", "temperature": 0.0}, "temperature of dg must be finite and above 0, got 0.0"),
        ({"method": "pg", "length": 0}, "length must be at least 1, got 0"),
        ({"method": "pg", "vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"method": "pg", "answers": 1}, "answers must be at least 2, got 1"),
        ({"method": "pg", "updates": 0}, "updates must be at least 1, got 0"),
        ({"method": "pg", "seed": -1}, "seed must be at least 0, got -1"),
        ({"method": "pg", "learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
        ({"method": "pg", "epochs": 2}, "epochs, at least 1, belong to ppo and pmpo, got pg with 2"),
        ({"method": "ppo", "epochs": 0}, "epochs, at least 1, belong to ppo and pmpo, got ppo with 0"),
        ({"method": "ppo", "clip": 1.0}, r"clip must be in \(0, 1\), got 1.0"),
        ({"method": "pmpo", "alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"method": "pmpo", "beta": -0.1}, "beta must be at least 0, got -0.1"),
    ],
)
def test_bad_configurations_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ReversalConfig(**settings)


def test_sizes_that_are_not_integers_are_refused():
    with pytest.raises(TypeError, match=r"length must be an integer, got 2\.5"):
        ReversalConfig("pg", length=2.5)


def test_presets_change_sizes_and_nothing_else():
    for preset, size in PRESETS.items():
        configs = preset_configs(preset, QUALITY_METHODS)
        assert len(configs) == len(set(configs)) == size.seeds * len(QUALITY_METHODS)
        assert {replace(config, seed=0, updates=1_000) for config in configs} == set(QUALITY_METHODS)
    assert [config.seed for config in preset_configs("quick", QUALITY_METHODS[:1], seeds=[7, 3])] == [7, 3]


def test_labels():
    assert len({config.label for config in EVERY_METHOD}) == len(EVERY_METHOD)
    labels = [config.label for config in EVERY_METHOD[:10]]
    assert labels[:5] == ["PG", "DG", "zero-price", "row gate(3 %)", "row gate(3 %, advantage)"]
    assert labels[5:8] == ["token gate(3 %)", "PPO", "PMPO"]
    assert labels[8:] == ["token gate(λ=0.01, η=0.1)", "zero-price rows"]
