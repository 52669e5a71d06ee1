"""Memory of calls worked out by hand."""

import torch

from simulations.networks.allocations import peak_bytes


def test_peak_bytes_of_calls_worked_out_by_hand():
    before = torch.ones(1_000)

    def two_at_once():
        one = before + 1
        other = one * 2
        del one
        other.view(10, 100).add_(1)  # neither a view nor work in place takes memory
        return other.sum()

    assert peak_bytes(two_at_once) == 2 * 4_000
    assert peak_bytes(lambda: before.mul_(1)) == 0
    assert peak_bytes(lambda: [before + 1 for _ in range(5)]) == 5 * 4_000

    def one_by_one():
        for _ in range(5):
            (before + 1).sum()

    assert peak_bytes(one_by_one) < 2 * 4_000


def test_gradients_do_not_count_whether_they_were_there_before_or_not():
    weight, x = torch.ones(1_000, 10, requires_grad=True), torch.ones(50, 1_000)
    inside, of_weight = 50 * 10 * 4, 1_000 * 10 * 4

    def backward():
        (x @ weight).square().sum().backward()

    first = peak_bytes(backward, lambda: [weight.grad])
    assert 2 * inside <= first <= 6 * inside, "the product, its square, their slopes"
    assert peak_bytes(backward, lambda: [weight.grad]) >= of_weight, "another one is made, and added"
    weight.grad = None
    assert peak_bytes(backward) >= of_weight, "negative control: a gradient counts unless it is left out"
