"""Log-probabilities by chunks: what is kept for the backward pass, and in which precision all is made."""

import pytest
import torch
from torch import nn

from kondo_theory.training.answers.token_log_prob import token_log_prob


def test_hidden_states_are_all_that_is_kept_of_the_head():
    """Saved for the backward pass of n tokens: no n × V numbers."""
    saved = []
    hidden = torch.randn(50, 4, requires_grad=True)
    head = nn.Linear(4, 300)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda each: (saved.append(each.numel()), each)[1], lambda each: each
    ):
        found = token_log_prob(
            hidden, torch.arange(50), torch.zeros(50).long(), head, tuple(head.parameters()), chunk_tokens=20
        )
    assert max(saved) == 300 * 4
    found.log_prob.sum().backward()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("autocast", [False, True])
def test_log_probabilities_are_made_in_single_precision_at_least(dtype, autocast):
    """At 32,000 tokens bfloat16 alone would be off by 0.02; the gradients are those of plain torch in float64."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(40, 8, generator=generator).to(dtype).requires_grad_()
    head, targets = nn.Linear(8, 32_000, bias=False).to(dtype), torch.randint(32_000, (40,), generator=generator)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = token_log_prob(
            hidden, torch.arange(40), targets, head, (head.weight,), chunk_tokens=7, with_entropy=True
        )
        logits = head(hidden)
    exact = logits.detach().double().requires_grad_()
    log_policy = exact.log_softmax(-1)
    expected = log_policy.gather(1, targets[:, None])[:, 0]
    assert found.log_prob.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (found.log_prob - expected).abs().max() < 1e-5
    assert (found.entropy - torch.special.entr(log_policy.exp()).sum(-1)).abs().max() < 1e-4
    slope = torch.autograd.grad(expected.sum(), exact)[0]
    found.log_prob.sum().backward()
    tolerance = 2e-2 if autocast or dtype == torch.bfloat16 else 1e-5
    for mine, reference in (
        (hidden.grad, slope @ head.weight.double()),
        (head.weight.grad, slope.T @ hidden.double()),
    ):
        assert mine.dtype == dtype
        assert (mine - reference).norm() < tolerance * reference.norm()


def test_the_backward_pass_makes_the_logits_of_the_forward_pass():
    """Under the casting that was on then, whatever is on when it runs."""
    seen, layer = [], nn.Linear(4, 6)

    def head(hidden):
        logits = layer(hidden)
        seen.append(logits.dtype)
        return logits

    hidden, rows = torch.ones(5, 4, requires_grad=True), torch.arange(5)
    with torch.autocast("cpu", torch.bfloat16):
        found = token_log_prob(hidden, rows, rows, head, tuple(layer.parameters()), chunk_tokens=3)
    found.log_prob.sum().backward()
    assert seen == [torch.bfloat16] * 4
    found = token_log_prob(hidden, rows, rows, head, tuple(layer.parameters()), chunk_tokens=3)
    with torch.autocast("cpu", torch.bfloat16):
        found.log_prob.sum().backward()
    assert seen[4:] == [torch.float32] * 4
