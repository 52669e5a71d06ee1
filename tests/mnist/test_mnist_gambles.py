"""Training where action 0 gambles: what is paid, what decides, and what is refused."""

import pytest
import torch

from simulations.mnist.config import MnistConfig
from simulations.mnist.gambles.training import CONTENDERS, GAMBLE, Contender, GambleProgram, GambleSize, run
from simulations.mnist.images import load_mnist
from simulations.mnist.training import SeedProgram

CPU = torch.device("cpu")
SHORT = GambleSize(3, 2, eval_every=3)
DELIGHT = MnistConfig("dg-k", rate=0.03)


@pytest.fixture(scope="module")
def data():
    return load_mnist()


def test_luck_is_paid_for_action_0_on_other_digits_alone(data):
    program = GambleProgram(Contender(DELIGHT), GambleSize(3, 2, noise=2.0), data, CPU)
    actions = torch.arange(10).repeat(2, 400)
    reward = (torch.arange(4_000) % 20 < 1).float().expand(2, -1)  # action 0 is right half of the times
    paid = program._paid(actions, reward)
    gambles = (actions == GAMBLE) & (reward == 0)
    assert torch.equal(paid[~gambles], reward[~gambles])
    luck = paid[gambles]
    assert abs(luck.mean()) < 4 * 2.0 / len(luck) ** 0.5
    assert luck.std() == pytest.approx(2.0, rel=0.15)
    assert not torch.equal(paid[0], paid[1])
    assert not torch.equal(program._paid(actions, reward), paid)


def decided(contender, size, data):
    """The advantages that were kept in one update, and what is paid for luck in it."""
    program = GambleProgram(contender, size, data, CPU)
    seen = {}
    select = program.step.select
    update = program.step.update
    program.step.select = lambda score, uniforms: seen.setdefault("selection", select(score, uniforms))

    def spy(screening, actions, advantage, selection):
        seen["advantage"] = advantage
        return update(screening, actions, advantage, selection)

    program.step.update = spy
    for _ in range(size.updates):
        seen.clear()
        program.update()
    return seen


def test_a_second_draw_decides_and_the_first_is_learnt_from(data):
    """By one draw what is kept has a large advantage; decided by another it has that of any gamble."""
    size = GambleSize(1, 20, noise=50.0)
    means = []
    for second in (False, True):
        seen = decided(Contender(DELIGHT, second_draw=second), size, data)
        means.append(float(seen["advantage"][seen["selection"].keep].mean()))
    assert means[0] > 30
    assert abs(means[1]) < 4 * 50 / (3 * 20) ** 0.5


def test_without_luck_it_is_the_protocols_training(data):
    program = GambleProgram(Contender(DELIGHT), GambleSize(4, 2, noise=0.0), data, CPU)
    plain = SeedProgram(
        [MnistConfig("dg-k", rate=0.03, seed=seed, updates=4, eval_every=100) for seed in range(2)], data, CPU
    )
    for _ in range(4):
        program.update()
        plain.update()
    for ours, theirs in zip(program.step.network.parameters(), plain.step.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_value_baseline_is_the_chance_of_the_digit(data):
    program = GambleProgram(Contender(DELIGHT, baseline="value"), SHORT, data, CPU)
    _, labels, pixels = program.batch()
    log_policy = program.step.network.forward(pixels).log_softmax(-1)
    found = program._advantage(torch.ones(labels.shape), log_policy)
    expected = 1 - log_policy.exp()[torch.arange(2)[:, None], torch.arange(100), labels]
    torch.testing.assert_close(found, expected)


def test_a_run_has_a_row_a_seed_and_evaluation(data):
    found = run(Contender(DELIGHT, second_draw=True, baseline="value"), SHORT, data, CPU)
    assert set(found["label"]) == {"DG-K(3 %), second draw, value baseline"}
    assert found[["seed", "update"]].to_numpy().tolist() == [[0, 0], [0, 3], [1, 0], [1, 3]]
    assert found.loc[found["update"] == 3, "backward_samples"].tolist() == [9, 9]
    assert found["gambles"].between(0.02, 0.3).all()
    assert len({contender.label for contender in CONTENDERS}) == len(CONTENDERS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": MnistConfig("pg"), "second_draw": True},
            "second_draw belongs to gates by delight, got method PG",
        ),
        ({"method": DELIGHT, "baseline": "valeu"}, "baseline must be one of confidence, value, got 'valeu'"),
    ],
)
def test_bad_contenders_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Contender(**settings)
