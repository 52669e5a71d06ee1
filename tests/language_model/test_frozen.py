"""Gates at a policy that does not learn, of a tiny random model: drift, length and what is kept, against autograd."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from tiny_models import CPU, directory, model, tiny, tokenizer

from kondo_theory.training import AnswerStep
from simulations.cli import main as cli
from simulations.errors import InputError
from simulations.language_model.frozen import study as frozen
from simulations.language_model.frozen.directions import gradient
from simulations.language_model.frozen.estimates import frozen_blocks
from simulations.language_model.frozen.gates import GATES
from simulations.language_model.frozen.study import Size, _half, _quarter, _squared_lengths
from simulations.language_model.models import at_temperature
from simulations.language_model.training import LanguageModelRun
from simulations.results.tables import load

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
SIZE = Size(("tiny_tasks:letters",), 1, batches=1, probes=1)


@pytest.fixture(scope="module")
def run():
    run = LanguageModelRun(tiny(prompts=4, answers=8), CPU, model(), tokenizer())
    run.ends[10:30] = True
    return run


@pytest.fixture(scope="module")
def quarters(run):
    ties = torch.Generator().manual_seed(0)
    return [_quarter(run, number, SIZE, ties) for number in range(4)]


def inner(one, other):
    return sum(float((a * b).sum()) for a, b in zip(one, other, strict=True))


def exact(run, batch):
    """The gradient of every gate in a batch, by autograd."""
    return [gradient(run.learner, batch.shared, weight)[0] for weight in batch.weights]


def test_a_gates_drift_is_its_gradient_along_that_of_the_other_half(run, quarters):
    rows = list(_half(run, quarters, 0, SIZE, torch.Generator().manual_seed(0)))
    per_batch = len(GATES) + 1
    assert [row["gate"] for row in rows] == 2 * [*(gate.label for gate in GATES), "gradient"]
    direction = [(a + b) / 2 for a, b in zip(quarters[2].ascent, quarters[3].ascent, strict=True)]
    for number, quarter in enumerate(quarters[:2]):
        (batch,) = quarter.batches
        gradients = exact(run, batch)
        drifts = [inner(each, direction) for each in gradients]
        found = [row["drift"] for row in rows[number * per_batch :][: len(GATES)]]
        size = math.sqrt(inner(gradients[0], gradients[0]) * inner(direction, direction))
        assert found == pytest.approx(drifts, abs=0.02 * size)
        assert max(map(abs, drifts)) > 0.1 * size
        tokens = batch.facts[0]["answer_tokens"]
        assert inner(quarter.ascent, direction) == pytest.approx(drifts[0] * tokens / 28)
        assert rows[(number + 1) * per_batch - 1]["drift"] == pytest.approx(found[0] * tokens / 28)


def test_lengths_come_from_random_directions(run, quarters):
    (batch,) = quarters[0].batches
    n_probes = 100
    (found,) = _squared_lengths(run, [batch], n_probes, torch.Generator().manual_seed(3))
    for mine, each in zip(found.tolist(), exact(run, batch), strict=True):
        assert mine == pytest.approx(inner(each, each), rel=5 * math.sqrt(2 / n_probes))
    assert sum(float(each.sum()) for each in quarters[0].square) == pytest.approx(inner(*2 * [exact(run, batch)[0]]))


def test_gates_keep_what_a_step_keeps(run):
    drawn, reward = run.draw(list(frozen.problems("x", run.task, 4, 9)), 8)
    advantage = frozen.group_advantage(reward, 8)[0]
    for gate in GATES:
        config = gate.config
        if gate.within:
            continue
        ties = [torch.Generator().manual_seed(7) for _ in range(2)]
        step = AnswerStep(run.learner.second, run.step.optimizer, config.gate, level=config.level, rule=config.rule,
                          row_surprisal=config.row_surprisal, generator=ties[0])  # fmt: skip
        selection = step.select(drawn.answers, advantage, groups=8)
        found = gate.coefficient(drawn.answers, advantage, ties[1])
        assert ((found != 0) == (selection.keep & (advantage != 0).unsqueeze(1))).all(), gate.label
        weight = LanguageModelRun._weight(SimpleNamespace(config=config), drawn.answers, advantage)
        expected = advantage.unsqueeze(1) * (1.0 if weight is None else weight)
        torch.testing.assert_close(found, torch.where(selection.keep, expected, 0.0), msg=gate.label)


def test_within_prompts_every_prompt_keeps_as_many(run):
    drawn, reward = run.draw(list(frozen.problems("x", run.task, 4, 9)), 8)
    advantage = frozen.group_advantage(reward, 8)[0]
    (gate,) = [each for each in GATES if each.within and each.config.rate == 0.125]
    rows = (gate.coefficient(drawn.answers, advantage, torch.Generator()) != 0).any(1).view(4, 8)
    assert rows.sum(1).tolist() == (advantage.view(4, 8) != 0).any(1).int().tolist()


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["experiment", "language-model", "--study", "frozen", "--device", "cpu", *map(str, arguments)])
    return (stopped.value.code, *capsys.readouterr())


def test_the_command_goes_on_where_it_was_stopped(capsys, tmp_path, tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("deep")
    monkeypatch.setattr("tiny_models.model", lambda **options: model(**options, blocks=7))
    directory(place)
    monkeypatch.setattr(frozen, "SIZES", {"frozen": {"smoke": Size(("tiny_tasks:letters",), 2, batches=1, probes=1)}})
    monkeypatch.setattr("simulations.resuming.parts.code_version", lambda function: "code")
    measure, seen = frozen.measure, []

    def once(task, block, *rest):
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.append(block)
        return measure(task, block, *rest)

    out = tmp_path / "t.parquet"
    words = ("--preset", "smoke", "--model", place, "--out", out)
    monkeypatch.setattr(frozen, "measure", once)
    assert command(capsys, *words)[0] != 0
    assert not out.exists()
    monkeypatch.setattr(frozen, "measure", lambda *given: seen.append(given[1]) or measure(*given))
    code, shown, _ = command(capsys, *words)
    assert (code, seen) == (0, [0, 1])
    assert "predicted" in shown
    assert command(capsys, *words)[1].endswith("is complete: nothing to do\n")
    frame = load(out, kind="language-model-frozen").frame
    assert frozen_blocks(tmp_path).empty, "named otherwise"
    out.rename(tmp_path / "language-model-frozen-smoke.parquet")
    pd.testing.assert_frame_equal(frozen_blocks(tmp_path), frame)
    assert frame["gate"].tolist() == 2 * [*(gate.label for gate in GATES), "gradient"]
    assert frame.groupby("gate")["drift"].nunique().min() == 2, "blocks have draws of their own"
    rows = frame[frame["gate"] != "gradient"]
    assert (rows["kept_rows"] <= rows["answers"]).all()
    assert frame["exact_squared_length"].notna().sum() == 2


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_policy_of_another_temperature_has_its_logits_and_its_gradient(temperature):
    """Against logits that are divided by the temperature, in the parameters of the blocks."""
    tokens, plain = torch.tensor([[3, 1, 4, 1, 5]]), model()
    expected = (plain(input_ids=tokens).logits / temperature).log_softmax(-1)
    expected[0, -1, 2].backward()
    cooled = at_temperature(model(), temperature)
    found = cooled(input_ids=tokens).logits.log_softmax(-1)
    found[0, -1, 2].backward()
    torch.testing.assert_close(found, expected)
    for mine, theirs in zip(cooled.base_model.layers.parameters(), plain.base_model.layers.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_temperatures_and_models_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        at_temperature(model(), 0.0)
    other = model()
    other.base_model.norm = torch.nn.Identity()
    with pytest.raises(InputError, match="not in proportion to its last norm"):
        at_temperature(other, 0.5)


def test_the_table_says_its_temperature():
    surprisal = {}
    for temperature in (0.5, 1.0):
        size = Size(("tiny_tasks:letters",), 1, batches=1, probes=1, temperature=temperature)
        found = frozen.measure("tiny_tasks:letters", 0, size, CPU, model=(model(blocks=7), tokenizer()))
        assert found["temperature"].unique().tolist() == [temperature]
        surprisal[temperature] = (found["kept_surprisal"] / found["kept_tokens"])[0]
    assert surprisal[0.5] < surprisal[1.0]
