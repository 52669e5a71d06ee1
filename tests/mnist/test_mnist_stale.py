"""Training on what other policies drew: who acts, what is paid, how it is weighed, and what is refused."""

import pytest
import torch

from simulations.mnist.config import MnistConfig
from simulations.mnist.images import load_mnist
from simulations.mnist.stale.contenders import CONTENDERS, SETTINGS, Contender, Setting, StaleSize
from simulations.mnist.stale.training import StaleProgram, run
from simulations.mnist.training import SeedProgram

CPU = torch.device("cpu")
PG, DG, GATE = MnistConfig("pg"), MnistConfig("dg"), MnistConfig("dg-k", rate=0.03)
SHORT = StaleSize(3, 2, 3)


@pytest.fixture(scope="module")
def data():
    return load_mnist()


def trained(program, updates=3):
    with torch.no_grad():
        for _ in range(updates):
            program.update()
    return [weight.clone() for weight in program.step.network.weights]


@pytest.mark.parametrize("method", [PG, DG, GATE, MnistConfig("zero-price")])
def test_without_friction_it_is_the_protocol(data, method):
    found = trained(StaleProgram(Contender(method), Setting(), SHORT, data, CPU))
    configs = [MnistConfig(method.method, rate=method.rate, seed=seed, updates=3, eval_every=3) for seed in range(2)]
    for weight, expected in zip(found, trained(SeedProgram(configs, data, CPU)), strict=True):
        assert torch.equal(weight, expected)


def test_corrections_and_the_actors_surprisal_change_nothing_where_the_learner_acts(data):
    plain = trained(StaleProgram(Contender(PG), Setting(), SHORT, data, CPU))
    for correction in ("importance", "clip"):
        found = trained(StaleProgram(Contender(PG, correction), Setting(), SHORT, data, CPU))
        assert all(torch.equal(a, b) for a, b in zip(plain, found, strict=True))


def test_actors_act_with_parameters_of_the_delay(data):
    program = StaleProgram(Contender(PG), Setting(delay=3), StaleSize(9, 2, 9), data, CPU)
    weights = [program.step.network.weights[0].clone()]
    with torch.no_grad():
        for update in range(8):
            acting = program.actor().weights[0]
            assert torch.equal(acting, weights[max(0, update - 3)])
            program.update()
            weights.append(program.step.network.weights[0].clone())
    assert not torch.equal(weights[0], weights[3])


def test_few_copies_are_kept_of_long_delays(data):
    program = StaleProgram(Contender(PG), Setting(delay=40), StaleSize(200, 2, 200), data, CPU)
    for now in range(200):
        program.step.counts.updates = now
        program.actor()
        assert max(0, now - 42) <= program._copies.kept[0][0] <= max(0, now - 40)
    assert len(program._copies.kept) <= 22


def test_random_actors_mix_into_the_behaviour(data):
    program = StaleProgram(Contender(PG), Setting(random=0.3), SHORT, data, CPU)
    _, _, pixels = program.batch()
    log_policy = program.step.network.log_policy(pixels)
    found = program.behaviour(pixels, log_policy).exp()
    assert torch.allclose(found, 0.7 * log_policy.exp() + 0.03, atol=1e-6)


def test_mistakes_are_paid_at_their_rate_and_right_ones_always(data):
    program = StaleProgram(Contender(PG), Setting(corruption=0.1), SHORT, data, CPU)
    reward = (torch.arange(20_000) % 4 < 1).float().expand(2, -1)
    paid = program._paid(reward)
    assert paid[reward == 1].min() == 1
    assert float(paid[reward == 0].mean()) == pytest.approx(0.1, abs=4 * (0.09 / 30_000) ** 0.5)
    assert not torch.equal(paid[0], paid[1])


def test_the_weights_of_corrections():
    ratio = torch.tensor([[0.5, 0.9, 1.1, 2.0]] * 2)
    advantage = torch.tensor([[1.0] * 4, [-1.0] * 4])

    def weights(correction):
        program = StaleProgram.__new__(StaleProgram)
        program.contender = Contender(PG, correction)
        return program._weight(advantage, ratio)

    assert torch.equal(weights("none"), torch.ones(2, 4))
    assert torch.equal(weights("importance"), ratio)
    assert torch.equal(weights("clip"), torch.tensor([[0.5, 0.9, 1.1, 0.0], [0.0, 0.9, 1.1, 2.0]]))


def test_the_actors_surprisal_keeps_other_samples(data):
    setting = Setting(delay=3, random=0.5)
    kept = [
        trained(StaleProgram(Contender(GATE, surprisal=whose), setting, SHORT, data, CPU))
        for whose in ("learner", "actor")
    ]
    assert not torch.equal(kept[0][0], kept[1][0])


def test_a_table_has_a_row_an_evaluation_and_labels_tell_all_apart(data):
    frame = run(Contender(DG, surprisal="actor"), Setting(100, 0.3, 0.1), StaleSize(2, 2, 1), data, CPU)
    assert len(frame) == 6
    assert set(frame["label"]) == {"DG, actor's surprisal; delay 100, random 30 %, false pay 10 %"}
    assert frame["right"].between(0.05, 0.2).all()
    assert len({f"{contender.label}; {setting}" for contender in CONTENDERS for setting in SETTINGS}) == 56


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Setting(delay=-1), r"^delay must be a whole number of updates, at least 0, got -1"),
        (lambda: Setting(random=1.5), r"^random must be in \[0, 1\], got 1.5"),
        (lambda: Setting(corruption=-0.1), r"^corruption must be in \[0, 1\], got -0.1"),
        (lambda: Contender(DG, "importance"), r"^correction belongs to method pg, got importance with DG"),
        (lambda: Contender(DG, surprisal="ours"), "surprisal must be one of learner, actor"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
