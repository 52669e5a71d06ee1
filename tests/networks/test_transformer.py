"""The transformer against one written out, its cache against the full pass, its FLOPs against torch's counter."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from simulations.networks.rollouts import Rollout, sample
from simulations.networks.transformer import Architecture, Transformer

SMALL = Architecture(width=12, heads=3, layers=2, feed_forward=20)


def make_policy(vocab_size=3, n_positions=9, dtype=torch.float64, size=SMALL, seed=0):
    """A policy with a random head: the protocol's head starts at zero, where every test would pass."""
    policy = Transformer(vocab_size, n_positions, size, seed=seed)
    with torch.no_grad():
        policy.head.weight.normal_(std=3 / math.sqrt(size.width), generator=torch.Generator().manual_seed(seed))
    return policy.to(dtype)


def make_prompts(n, length, vocab_size=3, seed=1):
    return torch.randint(vocab_size, (n, length), generator=torch.Generator().manual_seed(seed))


def written_out(policy, tokens):
    """The logits (B, L, M) again, one position and one head at a time, without torch's attention or normalisation."""

    def norm(x, weight):
        centred = x - x.mean(-1, keepdim=True)
        return weight * centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    x = policy.tokens.weight[tokens] + policy.positions[: tokens.shape[1]]
    width, depth = policy.size.width, policy.size.width // policy.size.heads
    for block in policy.blocks:
        projected = norm(x, block.attention_norm.weight) @ block.queries_keys_values.weight.T
        query, key, value = projected.split(width, -1)
        mixed = torch.zeros_like(x)
        for head in range(policy.size.heads):
            part = slice(head * depth, (head + 1) * depth)
            for place in range(tokens.shape[1]):
                seen = key[:, : place + 1, part]
                weights = (seen @ query[:, place, part, None] / math.sqrt(depth)).softmax(1)
                mixed[:, place, part] = (weights * value[:, : place + 1, part]).sum(1)
        x = x + mixed @ block.mix.weight.T
        x = x + torch.clamp(norm(x, block.perceptron_norm.weight) @ block.up.weight.T, min=0) @ block.down.weight.T
    return (norm(x, policy.final_norm.weight) if policy.size.final_norm else x) @ policy.head.weight.T


@pytest.mark.parametrize("final_norm", [True, False])
def test_the_forward_pass_against_one_written_out(final_norm):
    policy, tokens = make_policy(size=replace(SMALL, final_norm=final_norm)), make_prompts(5, 9)
    with torch.no_grad():
        torch.testing.assert_close(policy(tokens), written_out(policy, tokens), rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(policy(tokens, 4), policy(tokens)[:, -4:], rtol=0, atol=0)


def test_the_head_starts_at_zero_or_as_every_linear_layer_and_all_else_alike():
    zero, default = (
        Transformer(5, 9, replace(SMALL, head=head), seed=3).state_dict() for head in ("zero", "default")
    )
    assert not zero.pop("head.weight").any()
    largest = float(default.pop("head.weight").abs().max())
    assert 0.9 / math.sqrt(SMALL.width) < largest <= 1 / math.sqrt(SMALL.width)
    assert all(torch.equal(value, default[name]) for name, value in zero.items())
    with pytest.raises(ValueError, match="head must be one of zero, default, got 'ones'"):
        Architecture(head="ones")


def test_a_token_changes_what_follows_it_and_nothing_before():
    policy, tokens = make_policy(), make_prompts(4, 9)
    other = tokens.clone()
    other[:, 5] = (other[:, 5] + 1) % 3
    with torch.no_grad():
        difference = (policy(tokens) - policy(other)).abs().amax((0, 2))
    assert (difference[:5] == 0).all()
    assert (difference[5:] > 1e-3).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("length", "answer", "answers"), [(5, 5, 4), (1, 1, 3), (1, 5, 1), (4, 2, 2)])
def test_the_cache_changes_nothing(dtype, tolerance, length, answer, answers):
    """The sampler's log-probabilities are those of a full pass over what it wrote."""
    policy = make_policy(dtype=dtype)
    prompts = make_prompts(6, length)
    rollout = sample(policy, prompts, answer, n_answers=answers, generator=torch.Generator().manual_seed(2))
    assert rollout.tokens.shape == (6 * answers, length + answer)
    assert torch.equal(rollout.prompts, prompts.repeat_interleave(answers, 0))
    with torch.no_grad():
        full = policy(rollout.tokens[:, :-1], answer).log_softmax(-1)
    torch.testing.assert_close(rollout.log_policy, full, rtol=0, atol=tolerance)
    expected = -full.gather(-1, rollout.tokens[:, length:, None]).squeeze(-1)
    torch.testing.assert_close(rollout.surprisal, expected, rtol=0, atol=tolerance)


def test_the_protocol_s_network_in_single_precision():
    policy = make_policy(2, 19, torch.float32, Architecture())
    rollout = sample(policy, make_prompts(10, 10, 2), 10, n_answers=10, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        full = policy(rollout.tokens[:, :-1], 10).log_softmax(-1)
    torch.testing.assert_close(rollout.log_policy, full, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("cuts", [(5,), (1, 3), (3, 4, 8), (2, 3, 4, 5, 6, 7, 8), (8,)], ids=str)
def test_chunks_with_a_cache_are_the_full_pass(cuts, dtype, tolerance):
    policy, tokens = make_policy(dtype=dtype), make_prompts(4, 9)
    with torch.no_grad():
        full, cache = policy(tokens), policy.empty_cache(4)
        edges = (0, *cuts, 9)
        for start, end in pairwise(edges):
            found = policy(tokens[:, start:end], None, cache, start)
            torch.testing.assert_close(found, full[:, start:end], rtol=0, atol=tolerance)
            last = policy(tokens[:, start:end], 1, cache, start)
            torch.testing.assert_close(last, full[:, end - 1 : end], rtol=0, atol=tolerance)


def test_negative_control_a_mask_aligned_with_the_first_key_is_noticed():
    """What is_causal alone would do to a chunk after the first: its queries see too few keys."""
    query, key = (torch.randn(1, 1, n, 4, generator=torch.Generator().manual_seed(n)) for n in (3, 5))
    right = torch.ones(3, 5, dtype=torch.bool).tril(2)
    attention = torch.nn.functional.scaled_dot_product_attention
    difference = attention(query, key, key, right) - attention(query, key, key, is_causal=True)
    assert difference.abs().max() > 0.1


@pytest.mark.parametrize("n_logits", [0, 1, 4, 9, None])
def test_any_number_of_logits_from_none_to_all(n_logits):
    policy, tokens = make_policy(), make_prompts(5, 9)
    with torch.no_grad():
        found, full = policy(tokens, n_logits), policy(tokens)
    expected = full if n_logits is None else full[:, 9 - n_logits :]
    assert found.shape == (5, 9 if n_logits is None else n_logits, 3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("length", range(5))
def test_a_rollout_splits_into_prompts_and_answers_of_any_length(length):
    tokens = torch.arange(24).view(4, 6)
    rollout = Rollout(tokens, torch.zeros(4, 4, 24))
    part = rollout.part(torch.tensor([2, 0]), length)
    assert torch.equal(part.prompts, tokens[[2, 0], :2])
    assert torch.equal(part.answers, tokens[[2, 0], 2 : 2 + length])
    assert part.surprisal.shape == (2, length)


def test_negative_control_a_stale_cache_is_noticed():
    """Decoding on top of another prompt's keys and values gives other log-probabilities."""
    policy, prompts = make_policy(), make_prompts(6, 5)
    cache, stale = policy.empty_cache(6), policy.empty_cache(6)
    token = make_prompts(6, 1, seed=3)
    with torch.no_grad():
        policy(prompts, 1, cache)
        policy((prompts + 1) % 3, 1, stale)
        full = policy(torch.cat([prompts, token], 1), 1)
        torch.testing.assert_close(policy(token, 1, cache, 5), full, rtol=0, atol=1e-12)
        assert (policy(token, 1, stale, 5) - full).abs().max() > 1e-3


def frequency_z_scores(claimed_bias=0.0):
    """How far, in standard errors, the sampled answers' frequencies lie from their probabilities: all 25 of them."""
    policy, prompt, n = make_policy(vocab_size=5), make_prompts(1, 3), 40_000
    with torch.no_grad():
        policy.head.weight.mul_(0.5)  # rare tokens, but none too rare to be counted
        rows = torch.cat([prompt.expand(25, 3), torch.cartesian_prod(torch.arange(5), torch.arange(5))], 1)
        log_policy = written_out(policy, rows[:, :-1])[:, -2:].log_softmax(-1)
        probability = log_policy.gather(-1, rows[:, 3:, None]).squeeze(-1).sum(1).exp()
    rollout = sample(policy, prompt, 2, n_answers=n, generator=torch.Generator().manual_seed(5))
    probability[probability.argmax()] += claimed_bias
    frequency = torch.bincount(rollout.answers[:, 0] * 5 + rollout.answers[:, 1], minlength=25) / n
    return ((frequency - probability) / (probability * (1 - probability) / n).sqrt()).abs()


def test_answers_are_drawn_from_the_policy():
    """Each of the 25 answers' frequencies lies within 4 standard errors of its probability."""
    assert frequency_z_scores().max() < 4


def test_negative_control_a_probability_off_by_two_percent_is_rejected():
    assert frequency_z_scores(claimed_bias=0.02).max() > 4


def test_negative_control_the_wrong_extreme_value_law_is_rejected(monkeypatch):
    """With the sign of the noise turned round, two tokens would still be drawn rightly; five are not."""
    monkeypatch.setattr(torch.Tensor, "log_", lambda self: self.log().neg())
    assert frequency_z_scores().max() > 4


def test_greedy_answers_take_the_most_probable_token_each_time():
    policy, prompts = make_policy(), make_prompts(8, 4)
    rollout = sample(policy, prompts, 3, greedy=True)
    rows = prompts
    for _ in range(3):
        rows = torch.cat([rows, written_out(policy, rows)[:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(rollout.tokens, rows)


def test_the_untrained_policy_is_uniform_and_seeded():
    before = torch.get_rng_state()
    first, again, other = (Transformer(4, 7, SMALL, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first(make_prompts(2, 7)), torch.zeros(2, 7, 4))
    for mine, same in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, same)
    assert not torch.equal(first.positions, other.positions)
    assert not [name for name, _ in first.named_parameters() if "bias" in name]


def counted(call):
    """FLOPs by torch's counter, with the attention taken apart into its products, which the fused one hides."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize(("size", "vocab_size"), [(SMALL, 3), (Architecture(), 2)])
def test_flops_against_torch_s_counter(size, vocab_size):
    policy = make_policy(vocab_size, 9, torch.float32, size)
    tokens = make_prompts(6, 9, vocab_size)
    forward = size.forward_flops(6, 9, 5, vocab_size)
    with torch.no_grad():
        assert counted(lambda: policy(tokens, 5)) == forward
    assert counted(lambda: policy(tokens, 5).sum().backward()) == 3 * forward
    sampled = counted(lambda: sample(policy, tokens[:2, :5], 5, n_answers=3))
    assert sampled == size.sampling_flops(2, 3, 5, 5, vocab_size)


def test_a_part_of_a_rollout_keeps_the_prompt_and_cuts_the_answer():
    tokens = torch.arange(24).view(4, 6)
    rollout = Rollout(tokens, torch.zeros(4, 3, 24))
    part = rollout.part(torch.tensor([2, 0]), 2)
    assert part.tokens.tolist() == [[12, 13, 14, 15, 16], [0, 1, 2, 3, 4]]
    assert part.prompts.tolist() == [[12, 13, 14], [0, 1, 2]]
    assert part.answers.tolist() == [[15, 16], [3, 4]]


def chunk(length, start, rows=2):
    policy = make_policy()
    return policy(make_prompts(2, length), None, policy.empty_cache(rows), start)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Architecture(layers=0), "layers must be at least 1, got 0"),
        (lambda: Architecture(width=10, heads=4), "width must be a multiple of heads, got width 10 and 4 heads"),
        (lambda: Transformer(0, 3, seed=0), "vocab_size must be at least 1, got 0"),
        (lambda: Transformer(2, 0, seed=0), "n_positions must be at least 1, got 0"),
        (lambda: make_policy()(make_prompts(2, 3), 4), "n_logits must be from 0 to the 3 positions given, got 4"),
        (lambda: make_policy()(make_prompts(2, 3), -1), "n_logits must be from 0 to the 3 positions given, got -1"),
        (lambda: make_policy()(make_prompts(2, 3), start=2), "start must be 0 without a cache .*, got 2"),
        (lambda: make_policy()(make_prompts(2, 10)), "positions must be from 0 to 8, got 10 from 0 on"),
        (lambda: chunk(2, 8), "positions must be from 0 to 8, got 2 from 8 on"),
        (lambda: chunk(2, -1), "positions must be from 0 to 8, got 2 from -1 on"),
        (lambda: chunk(2, 3, rows=3), "cache must have the 2 rows of tokens, got 3"),
        (lambda: chunk(2, 3, rows=1), "cache must have the 2 rows of tokens, got 1"),
        (lambda: Rollout(make_prompts(2, 3), torch.zeros(2, 4, 3)), r"got shapes \(2, 3\) and \(2, 4, 3\)"),
        (lambda: Rollout(make_prompts(2, 3), torch.zeros(3, 2, 3)), r"got shapes \(2, 3\) and \(3, 2, 3\)"),
        (lambda: Rollout(make_prompts(2, 3), torch.zeros(2, 2)), r"must be \(B, H \+ T\) and .* \(2, 2\)"),
        (lambda: sample(make_policy(), make_prompts(2, 0), 1), r"at least one token, got shape \(2, 0\)"),
        (lambda: sample(make_policy(), make_prompts(2, 5), 6), "at most 9 positions, got 1 answers of 6 tokens"),
        (lambda: sample(make_policy(), make_prompts(2, 5), 2, n_answers=0), "at least 1 .*, got 0 answers"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
