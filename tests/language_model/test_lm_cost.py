"""What is counted of a step on a tiny random model, against formulas; answers at the pretrained policy."""

import pytest
import torch
from tiny_models import CPU, model, tiny, tokenizer

from simulations.language_model import cost, lucky
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.cost import RATES, Size, measure
from simulations.language_model.training import LanguageModelRun

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
TOKENS = 5


@pytest.fixture(scope="module")
def counted():
    """Steps on 4 · 8 answers of five tokens behind prompts of one length, by what learns, reuse and rate."""
    patch = pytest.MonkeyPatch()
    patch.setattr(cost, "LanguageModelConfig", lambda method, trainable: tiny(method, trainable=trainable, **SIZES))
    frames = [measure(each, Size((each,), 1), CPU, model=(model(), tokenizer())) for each in ("all", "last-2")]
    patch.undo()
    return {
        (row["trainable"], row["reuse"], row["rate"]): row for frame in frames for row in frame.to_dict("records")
    }


SIZES = {"prompts": 4, "answers": 8, "most_tokens": TOKENS, "micro_tokens": 100}


def flops(row, positions):
    """Two a multiply-add, twice as much backward, of rows of so many positions each: three blocks and the head."""
    policy = model()
    linear = [each.weight.numel() for each in policy.model.layers[0].modules() if isinstance(each, torch.nn.Linear)]
    width = policy.config.num_attention_heads * policy.model.layers[0].self_attn.head_dim
    forward = 3 * (2 * positions * sum(linear) + 2 * 2 * positions**2 * width)
    logits = 2 * TOKENS * policy.config.vocab_size * policy.config.hidden_size
    return row["rows"] * (3 * forward + 4 * logits)  # logits are computed again for the backward pass


def test_flops_of_one_row_are_those_of_its_matrix_products(counted):
    row = counted["all", False, 0.03]
    assert row["rows"] == 1
    assert row["backward_flops"] == flops(row, row["backward_positions"])


def test_flops_of_several_rows_are_in_proportion_but_for_padding_and_attention(counted):
    for rate in RATES:
        row = counted["all", False, rate]
        assert row["backward_flops"] == pytest.approx(flops(row, row["backward_positions"] / row["rows"]), rel=0.15)


def test_a_trunk_that_is_reused_is_not_computed_again(counted):
    whole, tail = counted["last-2", False, 1.0], counted["last-2", True, 1.0]
    assert whole["sampling_flops"] == tail["sampling_flops"]
    block = whole["screening_flops"] - tail["screening_flops"]
    assert whole["backward_flops"] - tail["backward_flops"] == block, "the forward pass of the first of three blocks"
    assert 0.25 < block / whole["screening_flops"] < 1 / 3
    assert counted["all", False, 1.0]["backward_flops"] > whole["backward_flops"]


def test_memory_is_in_proportion_to_what_is_kept_at_once(counted):
    full, quarter, few = (counted["all", False, rate] for rate in (1.0, 0.25, 0.03))
    assert 0.2 < quarter["peak_bytes"] / full["peak_bytes"] < 0.3
    assert full["micro_peak_bytes"] < full["peak_bytes"] / 2, "a hundred positions of three hundred"
    assert few["micro_peak_bytes"] == pytest.approx(few["peak_bytes"], rel=1e-3), "one micro-batch, up to its indices"
    assert few["peak_bytes"] < quarter["peak_bytes"] / 4
    assert counted["last-2", True, 1.0]["peak_bytes"] < full["peak_bytes"]


def test_answers_are_those_that_training_begins_with():
    frame = lucky.measure("spelling", 1, CPU, model=(model(), tokenizer()))
    run = LanguageModelRun(LanguageModelConfig("pg", task="spelling", trainable="all"), CPU, model(), tokenizer())
    run.learn = lambda answers, advantage: seen.update(answers=answers, advantage=advantage)
    seen = {}
    run.train_batch()
    mine = seen["answers"].answered
    assert frame["log_prob"].tolist() == seen["answers"].log_prob[mine].tolist()
    whole = frame.groupby("answer").first()
    assert whole["advantage"].tolist() == seen["advantage"].tolist()
    assert frame["place"].tolist() == [place for each in mine.sum(1).tolist() for place in range(each)]
    assert whole["question"].str.endswith(":").all()
