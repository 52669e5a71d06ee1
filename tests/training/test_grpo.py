"""TRL's trainer behind a gate has the gradient of its own loss with the dropped advantages at zero."""

import types
import warnings

import pytest
import torch
from grpo_trainers import (  # noqa: F401
    GROUP,
    Exact,
    Gated,
    Masked,
    MaskedAdvantages,
    Rollouts,
    build,
    quick_and_quiet,
    settings,
    watch,
)

from kondo_theory.gate import Gate, kept_count
from kondo_theory.training.answers import Answers, select_answers
from kondo_theory.training.grpo import GatedGRPOTrainer, batches
from kondo_theory.training.grpo.batches import LOSSES

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
B = 16
TWO_STEPS = {"steps_per_generation": 4, "gradient_accumulation_steps": 2, "num_iterations": 2, "max_steps": 4}
ONE_STEP = {"gradient_accumulation_steps": 4, "max_steps": 2}


def gradients(kind, tmp_path, **options):
    torch.manual_seed(3)
    return watch(build(kind, tmp_path, **options)).gradients


def error(found, expected):
    """The largest relative difference of the gradients before each optimizer step."""
    assert len(found) == len(expected) > 1
    pairs = [pair for steps in zip(found, expected, strict=True) for pair in zip(*steps, strict=True)]
    assert all((mine is None) == (other is None) for mine, other in pairs)
    pairs = [pair for pair in pairs if pair[0] is not None]
    return max(float((mine - other).norm() / other.norm().clamp(min=1e-30)) for mine, other in pairs)


@pytest.mark.parametrize("loss_type", LOSSES)
def test_of_every_loss_over_several_steps_and_iterations(loss_type, tmp_path):
    options = TWO_STEPS | {"loss_type": loss_type}
    if loss_type == "luspo":
        options["importance_sampling_level"] = "sequence"
    found, expected = (gradients(kind, tmp_path, **options) for kind in (Gated, Masked))
    assert error(found, expected) < 1e-10


SETTINGS = {
    "the ratio of a whole answer": TWO_STEPS | {"importance_sampling_level": "sequence"},
    "several generations a step": {"steps_per_generation": 2, "gradient_accumulation_steps": 4, "max_steps": 2},
    "generations across steps": {"steps_per_generation": 2, "gradient_accumulation_steps": 3, "max_steps": 4},
    "truncated answers masked": TWO_STEPS | {"mask_truncated_completions": True},
    "two-sided clipping, answers off the policy": TWO_STEPS | {"delta": 1.3, "off_policy_mask_threshold": 0.1},
    "padded to a multiple": ONE_STEP | {"pad_to_multiple_of": 8},
    "whole groups": ONE_STEP | {"level": "group", "rule": "delight"},
    "a price that nothing has": TWO_STEPS | {"gate": Gate(price=9.0)},
    "by entropy": ONE_STEP | {"rule": "abs-advantage-entropy"},
    "checkpoints, spread over the batch": ONE_STEP | {"gradient_checkpointing": True, "scale_rewards": "batch"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_under_these_settings(name, tmp_path):
    found, expected = (gradients(kind, tmp_path, **SETTINGS[name]) for kind in (Gated, Masked))
    assert error(found, expected) < 1e-10


def test_with_what_another_says_in_between(tmp_path):
    found, expected = (
        gradients(kind, tmp_path, rollouts=Rollouts(another=True), **ONE_STEP | {"loss_type": "bnpo"})
        for kind in (Gated, Masked)
    )
    assert error(found, expected) < 1e-10


@pytest.mark.parametrize("mode", ["sequence_mask", "token_truncate"])
def test_with_the_importance_weights_of_vllm(mode, tmp_path):
    """Its part is played by a function that returns log-probabilities."""
    found = []
    for kind in (Gated, Masked):
        torch.manual_seed(3)
        options = ONE_STEP | {"vllm_importance_sampling_mode": mode, "vllm_importance_sampling_clip_max": 1e9}
        trainer = build(kind, tmp_path, rollouts=Rollouts(log_prob=True), rule="delight", **options)
        trainer.use_vllm, trainer._last_loaded_step = True, -1
        trainer.vllm_generation = types.SimpleNamespace(sync_weights=lambda: None)
        found.append(watch(trainer).gradients)
    assert error(*found) < 1e-10


def test_negative_control_a_loss_that_is_not_scaled_back_is_noticed(tmp_path, monkeypatch):
    options = ONE_STEP | {"loss_type": "grpo"}
    expected = gradients(Masked, tmp_path, **options)
    monkeypatch.setattr(batches, "_BY_ALL_TOKENS", LOSSES)
    assert error(gradients(Gated, tmp_path, **options), expected) > 0.1


def test_negative_control_tokens_counted_after_the_gate_are_noticed(tmp_path, monkeypatch):
    expected = gradients(Masked, tmp_path, **ONE_STEP)

    def recounted(*arguments, **options):
        parts = original(*arguments, **options)
        return [each | {"num_items_in_batch": each["completion_mask"].sum()} for each in parts]

    original = batches._parts
    monkeypatch.setattr(batches, "_parts", recounted)
    assert error(gradients(Gated, tmp_path, **ONE_STEP), expected) > 0.1


def selected_from(trainer):
    """A mapping that holds, once the trainer has selected, what it selected from."""
    batch, select = {}, trainer._select

    def selecting(given):
        batch.update(given)
        return select(given)

    trainer._select = selecting
    return batch


@pytest.mark.parametrize("rate", [1 / 16, 0.3, 7 / 16, 1.0])
def test_rows_that_are_not_kept_never_reach_the_training_pass(rate, tmp_path):
    trainer = build(Gated, tmp_path, gate=Gate(rate=rate), **ONE_STEP | {"max_steps": 1})
    batch = selected_from(trainer)
    seen = watch(trainer)
    eligible = int((batch["advantages"] != 0).sum())
    assert sum(seen.rows) == min(kept_count(rate, B), eligible) > 0
    assert max(seen.rows) <= 4
    assert seen.without_gradient == []
    logged = trainer.state.log_history[0]
    assert logged["kondo/rows_kept"] == sum(seen.rows)
    assert logged["kondo/rate"] == sum(seen.rows) / B


def test_negative_control_without_a_gate_all_rows_do(tmp_path):
    assert watch(build(Masked, tmp_path, **ONE_STEP | {"max_steps": 1})).rows == [4] * 4


@pytest.mark.parametrize("level", ["row", "group"])
@pytest.mark.parametrize("row_surprisal", ["sum", "mean"])
def test_the_selection_is_that_of_the_other_steps(level, row_surprisal, tmp_path):
    own = {"level": level, "rule": "delight", "row_surprisal": row_surprisal}
    trainer = build(Gated, tmp_path, rollouts=Rollouts(log_prob=True), **own)
    inputs = [{"prompt": prompt} for prompt in ("a b c", "d", "e f", "g") for _ in range(GROUP)]
    trainer.model.train()
    batch = trainer._generate_and_score_completions(inputs)
    answers = Answers(
        batch["completion_ids"], batch["completion_mask"], batch["completion_mask"], batch["sampling_per_token_logps"]
    )
    expected = select_answers(answers, batch["advantages"], Gate(rate=0.3), groups=GROUP, **own)
    assert torch.equal(batch["kondo_keep"], expected.keep.any(1))
    metrics = trainer._metrics["train"]
    assert metrics["kondo/price"] == [pytest.approx(float(expected.price))]
    assert metrics["kondo/rate"] == [pytest.approx(float(expected.n_kept / expected.n_valid))]
    assert metrics["kondo/invalid"] == [0.0]


@pytest.mark.parametrize(
    ("known", "options", "passes"),
    [
        (True, {"rule": "delight"}, 0),
        (False, {"rule": "delight"}, 1),
        (True, {"rule": "entropy-band"}, 1),
        (False, {"rule": "abs-advantage"}, 0),
        (False, {"rule": "delight", "num_iterations": 2}, 1),  # of TRL's own
    ],
)
def test_log_probabilities_that_there_are_are_reused(known, options, passes, tmp_path):
    trainer = build(Gated, tmp_path, rollouts=Rollouts(log_prob=known), **ONE_STEP | {"max_steps": 1} | options)
    assert watch(trainer).without_gradient == [B] * passes


def test_log_probabilities_with_gaps_are_not(tmp_path):
    trainer = build(Gated, tmp_path, rule="delight")
    ids = torch.ones(2, 3, dtype=torch.int64)
    batch = {f"{of}_{what}": ids for of in ("prompt", "completion") for what in ("ids", "mask")}
    gaps = torch.tensor([[-1.0, torch.nan, -1.0]] * 2)
    found, _ = trainer._log_prob(batch | {"sampling_per_token_logps": gaps}, ids.bool())
    assert found.isfinite().all()
    behind = torch.tensor([[1, 0, 1]] * 2).bool()  # where nothing was drawn they do not matter
    assert trainer._log_prob(batch | {"sampling_per_token_logps": gaps}, behind)[0] is gaps


def test_groups_of_one_reward_are_counted_and_never_kept(tmp_path):
    """Rounding leaves their answers an advantage, which a price of zero would let pass."""
    options = ONE_STEP | {"max_steps": 1, "num_generations": 8, "reward": lambda prompts, **_: [0.05] * len(prompts)}
    trainer = build(Gated, tmp_path, gate=Gate(price=0.0), **options)
    batch = selected_from(trainer)
    assert watch(trainer).rows == [1], "one whose advantage is set to zero"
    assert batch["advantages"].abs().min() > 0, "negative control"
    assert trainer.state.log_history[0]["kondo/groups_without_spread"] == 2
    assert trainer.state.log_history[0]["kondo/rows_kept"] == 0


def test_evaluation_is_as_without_a_gate(tmp_path):
    found = []
    for kind in (Gated, Masked):
        trainer = build(kind, tmp_path, per_device_eval_batch_size=8)
        torch.manual_seed(0)
        found.append(trainer.evaluate(trainer.train_dataset)["eval_loss"])
    assert found[0] == found[1]


def test_the_gradient_with_the_log_probabilities_of_trl(tmp_path):
    """Which are in float32."""
    masked = type("PlainMasked", (MaskedAdvantages, GatedGRPOTrainer), {})
    found, expected = (gradients(kind, tmp_path, **TWO_STEPS) for kind in (GatedGRPOTrainer, masked))
    assert error(found, expected) < 1e-4


REFUSED = {
    "beta": (0.04, "beta must be 0 with a gate, for a KL to a reference has a gradient on every row"),
    "entropy_coef": (0.01, "entropy_coef must be 0 with a gate, for an entropy bonus"),
    "use_adaptive_entropy": (True, "use_adaptive_entropy must be False"),
    "top_entropy_quantile": (0.0, "top_entropy_quantile must be 1 with a gate.*got 0.0"),
    "use_liger_kernel": (True, "use_liger_kernel must be False"),
    "loss_type": ("other", "loss_type must be one of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_another_gradient_is_refused_by_name(name, tmp_path):
    value, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as raised:
        build(Gated, tmp_path, **{name: value})
    assert "\n" not in str(raised.value)


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(type(settings(tmp_path)), "world_size", 2)
    with pytest.raises(ValueError, match=r"^world_size must be 1 with a gate, for .*, got 2$"):
        build(Gated, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": "token"}, "level must be one of row, group"), ({"rule": "delite"}, "did you mean 'delight'")],
)
def test_unknown_names_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        build(Gated, tmp_path, **options)


def test_a_rate_in_place_of_a_gate_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"gate must be a Gate, a StreamingGate or None, got 0\.125"):
        build(Gated, tmp_path, gate=0.125)


def test_a_trainer_that_deals_out_rows_by_itself_is_noticed(tmp_path):
    class Own(Exact, GatedGRPOTrainer):
        def _prepare_inputs(self, inputs):
            return self._generate_and_score_completions(inputs)

    with warnings.catch_warnings(), pytest.raises(RuntimeError, match="were not taken out"):
        build(Own, tmp_path).train()
