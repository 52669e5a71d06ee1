"""FLOPs against formulas, for kernels that hide their matrix products too; what cannot be counted is refused."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kondo_theory.gate import Gate
from kondo_theory.training import FlopsPerSample, ScreenedStep, measure_flops
from simulations.networks.mlp import PolicyMLP

B, T, D, K = 6, 7, 16, 3


class Head(nn.Module):
    """A body on sequences (B, T, D), its last position, and a linear layer to the logits."""

    def __init__(self, body, width):
        super().__init__()
        self.body, self.head = body, nn.Linear(width, K)

    def forward(self, x):
        hidden = self.body(x)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        return self.head(hidden[:, -1])


def encoder(layers=1):
    layer = nn.TransformerEncoderLayer(D, 2, 32, batch_first=True, dropout=0.1)
    return layer if layers == 1 else nn.TransformerEncoder(layer, layers)


def encoder_flops(layers=1):
    """Projections of queries, keys, values and output, the perceptron, scores and their weighted sums."""
    return layers * 2 * (T * (4 * D * D + 2 * D * 32) + 2 * T * T * D)


def recurrent_flops(gates, width, layers):
    inputs = [D] + [width] * (layers - 1)
    return 2 * T * sum(gates * width * (n + width) for n in inputs)


BODIES = {
    "encoder layer": (encoder, D, encoder_flops()),
    "encoder": (lambda: encoder(2), D, encoder_flops(2)),
    "LSTM": (lambda: nn.LSTM(D, 5, 2, batch_first=True), 5, recurrent_flops(4, 5, 2)),
    "GRU": (lambda: nn.GRU(D, 5, batch_first=True), 5, recurrent_flops(3, 5, 1)),
    "RNN": (lambda: nn.RNN(D, 5, 3, batch_first=True), 5, recurrent_flops(1, 5, 3)),
    "MLP": (lambda: nn.Sequential(nn.Linear(D, 8), nn.ReLU()), 8, 2 * T * D * 8),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BODIES)
def test_forward_and_backward_passes_against_formulas(name, training):
    """The backward pass takes two products for each of the forward pass, but none for the observations."""
    body, width, flops = BODIES[name]
    policy = Head(body(), width).train(training)
    found = measure_flops(policy, torch.randn(B, T, D))
    forward = flops + 2 * width * K
    assert found.forward == forward
    inner = {"LSTM": 4, "GRU": 3, "RNN": 1}.get(name)
    # The first layer's joint projection: of queries, keys and values, of all gates, or the layer itself.
    widths = 3 * D if name.startswith("encoder") else width * (inner or 1)
    to_input = 2 * T * D * widths
    # A recurrent net's first step multiplies an initial state of zeros, whose gradient nobody asks for.
    states = 2 * inner * width**2 * {"LSTM": 2, "GRU": 1, "RNN": 3}[name] if inner else 0
    assert found.backward == 2 * forward - to_input - states


def test_the_count_does_not_depend_on_the_size_of_the_batch():
    policy = Head(encoder(), D).eval()
    assert measure_flops(policy, torch.randn(1, T, D)) == measure_flops(policy, torch.randn(9, T, D))


def test_negative_control_torch_s_counter_misses_what_fused_kernels_do():
    policies = Head(encoder(), D).eval(), Head(nn.LSTM(D, 5, batch_first=True), 5)
    for policy in policies:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            policy(torch.randn(B, T, D))
        assert counter.get_total_flops() / B < 0.1 * measure_flops(policy, torch.randn(B, T, D)).forward


@pytest.mark.parametrize(
    ("wrap", "forward"),
    [
        (lambda x, w: torch.stack([x[:, 0] @ w[0], x[:, 1] @ w[1]], 1), 2 * 2 * D),  # matrix times vector
        (lambda x, w: torch.stack([torch.stack([row @ w[0], row @ w[1]]) for row in x[:, 0]]), 2 * 2 * D),
        (lambda x, w: torch.einsum("btd,kd->bk", x, w), 2 * 2 * D),
        (lambda x, w: nn.functional.conv1d(x.mT, w[:, :, None]).mean(-1), 2 * T * D * 2),
        (lambda x, w: nn.functional.scaled_dot_product_attention(x @ w.T, x @ w.T, x @ w.T)[:, 0], None),
    ],
    ids=["mv", "dot", "einsum", "convolution", "attention"],
)
def test_products_of_every_shape_are_counted(wrap, forward):
    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(2, D))

        def forward(self, x):
            return wrap(x, self.w)

    forward = forward or 3 * 2 * T * D * 2 + 2 * 2 * T * T * 2
    assert measure_flops(Policy(), torch.randn(B, T, D)).forward == forward


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


@torch.library.custom_op("kondo_tests::product", mutates_args=())
def own_product(x: torch.Tensor) -> torch.Tensor:
    return x @ x.T


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (nn.Bilinear(D, D, 5), "aten::_trilinear"),
        (lambda x, _: torch.cdist(x, x), "aten::_cdist_forward"),
        (lambda x, _: own_product(x[:, 0])[:, None], "kondo_tests::product"),
    ],
    ids=["bilinear", "distances", "own kernel"],
)
def test_a_kernel_that_hides_its_products_is_refused_by_name(body, name):
    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.scale = body, nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.scale * self.body(x, x)[:, -1]

    with pytest.raises(NotImplementedError, match=f"the policy's kernel {name} has no FLOP formula"):
        measure_flops(Policy(), torch.randn(B, T, D))


def test_inference_mode_is_refused():
    with torch.inference_mode(), pytest.raises(ValueError, match="FLOPs must be counted outside"):
        measure_flops(PolicyMLP((D, 8, K), seed=0), torch.randn(B, D))


def test_everything_is_left_as_it_was():
    policy = nn.Sequential(nn.Dropout(0.5), nn.Linear(D, K), nn.BatchNorm1d(K))
    policy(torch.randn(B, D)).sum().backward()
    gradients = [parameter.grad.clone() for parameter in policy.parameters()]
    buffers = [buffer.clone() for buffer in policy.buffers()]
    state = torch.get_rng_state()
    flags = torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled, torch.backends.mha.get_fastpath_enabled()
    measure_flops(policy, torch.randn(B, D, generator=torch.Generator().manual_seed(0)))
    after = torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled, torch.backends.mha.get_fastpath_enabled()
    assert after == flags
    assert torch.equal(torch.get_rng_state(), state)
    for found, expected in zip(policy.buffers(), buffers, strict=True):
        assert torch.equal(found, expected)
    for parameter, expected in zip(policy.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, expected)


def test_policies_that_return_a_view_of_a_parameter_act_and_are_counted():
    class View(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.zeros(K))

        def forward(self, x):
            return self.logits.expand(len(x), -1)

    for gate in (None, Gate(rate=0.5)):
        policy = View()
        step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), gate)
        step.update(torch.zeros(B, 1), step.act(torch.zeros(B, 1)), torch.ones(B))
        assert measure_flops(policy, torch.zeros(B, 1)) == FlopsPerSample(0, 0)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_compiled_policy_stays_compiled(in_place):
    """The backend sees the graph of the policy; what it made runs in every pass after, and not under the counter."""
    ran = []

    def backend(graph, examples):
        def call(*arguments):
            ran.append(True)
            return graph.forward(*arguments)

        return call

    torch._dynamo.reset()
    policy = PolicyMLP((D, 8, K), seed=0)
    if in_place:
        policy.compile(backend=backend)
        compiled = policy
    else:
        compiled = torch.compile(policy, backend=backend)
    observations = torch.randn(B, D)
    assert measure_flops(compiled, observations) == measure_flops(PolicyMLP((D, 8, K), seed=0), observations)
    assert not ran
    step = ScreenedStep(compiled, torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.5))
    for passes in range(1, 4):
        screening = step.act(observations)
        assert len(ran) == 2 * passes - 1
        step.update(observations, screening, torch.ones(B))
        assert len(ran) == 2 * passes
    torch._dynamo.reset()
