"""Training a tiny random model: one gate, few rows, the same bits again; the command and its tables."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_models import CPU, directory, model, tiny, tokenizer

from simulations.cli import main as cli
from simulations.errors import InputError, ReportedError
from simulations.language_model import cost, runs, studies
from simulations.language_model.cost import PARTS, RATES, Size
from simulations.language_model.runs import run_one, tidy
from simulations.language_model.summary import summary_table
from simulations.language_model.training import COUNTS, LanguageModelRun
from simulations.language_model.weights import load_directory
from simulations.results.tables import load, with_seconds
from simulations.resuming.checkpoints import CheckpointFile

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
METHODS = [
    tiny("pg"),
    tiny("dg"),
    tiny("row-gate", price=0.0),
    tiny("row-gate", rate=0.25, rule="abs-advantage"),
    tiny("token-gate", rate=0.2, rule="abs-advantage-entropy"),
    tiny("group-gate", rate=0.5),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return directory(tmp_path_factory.mktemp("tiny"))


class StoppedError(Exception):
    """What stops a training in these tests."""


def started(config, dtype=torch.float32):
    return LanguageModelRun(config, CPU, model(dtype=dtype), tokenizer())


@pytest.mark.parametrize("config", [*METHODS, tiny("pg", trainable="all")], ids=lambda c: f"{c.label}, {c.trainable}")
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(place, tmp_path, monkeypatch, config):
    whole, seconds = run_one(config, CPU, place)
    assert whole["update"].tolist() == seconds["update"].tolist() == [0, 2, 3]
    assert (seconds[["sampling", "gate", "backward", "optimizer", "evaluation"]].iloc[-1] > 0).all()
    file = CheckpointFile(tmp_path / "run.pt", seconds=0)
    train = LanguageModelRun.train_batch

    def stop(run):
        if run.update == 1:
            raise StoppedError
        train(run)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageModelRun, "train_batch", stop)
        with pytest.raises(StoppedError):
            run_one(config, CPU, place, file)
    assert file.load()["update"] == 1
    resumed, _ = run_one(config, CPU, place, file)
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
    with pytest.raises(ReportedError, match="belongs to another run, which differs in seed"):
        run_one(replace(config, seed=5), CPU, place, file)


def test_methods_share_problems_draws_and_evaluation_and_differ_in_what_they_keep(place):
    curves = {config.label: run_one(replace(config, updates=1), CPU, place)[0] for config in METHODS}
    for column in ("forward_rows", "forward_tokens", "train_reward", "surprisal", "answer_tokens"):
        assert len({float(curve[column].iloc[-1]) for curve in curves.values()}) == 1, column
    assert len({curve["reward"].iloc[0] for curve in curves.values()}) == 1
    last = {label: curve.iloc[-1] for label, curve in curves.items()}
    assert last["row gate(25 %, abs-advantage)"]["backward_rows"] == 2
    assert last["token gate(20 %, abs-advantage-entropy)"]["backward_tokens"] < last["PG"]["backward_tokens"] / 2
    assert last["zero-price rows"]["backward_rows"] < last["PG"]["backward_rows"] <= last["PG"]["forward_rows"] == 8
    assert all(0 <= row["largest_gap"] < 1e-3 for row in last.values())


def test_an_update_is_that_of_the_masked_full_batch():
    """Of one gate, behind a trunk; the same by hand: the whole model, all rows, a mask."""
    config = tiny("row-gate", rate=0.25, rule="abs-advantage")
    run = started(config, torch.float64)
    asked = {}
    learn = run.learn
    run.learn = lambda answers, advantage: asked.update(answers=answers, advantage=advantage)
    run.train_batch()
    answers, advantage = asked["answers"], asked["advantage"]
    kept = advantage.abs().argsort(descending=True, stable=True)[:2]
    assert advantage[kept].abs().min() > advantage.abs().sort(descending=True)[0][2], "no tie"
    whole, loss = model(), 0.0
    for row in kept.tolist():
        places = answers.attended[row].nonzero().squeeze(1)
        policy = whole(input_ids=answers.tokens[row, places][None]).logits[0, :-1].log_softmax(-1)
        log_prob = policy.gather(1, answers.tokens[row, places][1:, None])[:, 0]
        loss = loss - advantage[row] * log_prob[answers.answered[row, places][1:]].sum()
    (loss / answers.answered.sum()).backward()
    learn(answers, advantage)
    for name, mine in run.learner.parameters.items():
        expected = whole.get_parameter(name).grad
        assert (mine.grad - expected).norm() <= 1e-10 * expected.norm(), name


def test_log_probabilities_of_another_policy_stop_the_run():
    run = started(replace(METHODS[0], tolerance=1e-6), torch.float64)
    run.train_batch()
    learn = run.learn

    def later(answers, advantage):
        with torch.no_grad():
            run.learner.model.model.layers[-1].mlp.up_proj.weight.mul_(1.1)
        learn(answers, advantage)

    run.learn = later
    with pytest.raises(ReportedError, match=r"PG, task tiny_tasks:letters, seed 0, stopped after update 1: the two"):
        run.train_batch()


def test_only_the_last_evaluation_has_all_prompts(monkeypatch):
    asked = []
    monkeypatch.setattr("simulations.language_model.training.reward_of", lambda problem, text: asked.append(1) or 0.5)
    run = started(tiny(eval_prompts=5, watch_prompts=3, updates=2))
    for update, prompts in ((0, 3), (1, 3), (2, 5)):
        asked.clear()
        run.update = update
        run.evaluate()
        assert len(asked) == 2 * prompts


def test_a_reward_that_is_no_number_stops_the_run():
    with pytest.raises(ReportedError, match="reward must be a finite number, got nan"):
        started(tiny(task="tiny_tasks:not_finite")).evaluate()


def test_a_policy_gradient_earns_more(place):
    """Sixty updates of everything against a rate too low to learn; what earns is a letter."""
    config = tiny(trainable="all", updates=60, eval_every=60, eval_prompts=40, learning_rate=3e-3, prompts=4)
    learnt, still = (run_one(each, CPU, place)[0] for each in (config, replace(config, learning_rate=1e-9)))
    assert learnt["reward"].iloc[-1] > still["reward"].iloc[-1] + 0.2


def test_a_directory_that_is_no_model_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "nothing"}')
    with pytest.raises(InputError, match="cannot be read as a causal language model") as caught:
        load_directory(tmp_path)
    assert "\n" not in str(caught.value)


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["experiment", "language-model", "--device", "cpu", *map(str, arguments)])
    return (stopped.value.code, *capsys.readouterr())


def test_the_command_writes_a_table_extends_it_and_has_nothing_left_to_do(capsys, tmp_path, monkeypatch, place):
    methods = tuple(replace(config, seed=0) for config in METHODS[:4:3])
    small = studies.Study("small", methods, (), {"smoke": ("tiny_tasks:letters",)})
    monkeypatch.setattr(studies, "STUDIES", {"learning": small})
    monkeypatch.setattr("simulations.language_model.plan.STUDIES", {"learning": small})
    seen = []
    run = runs.run_one
    monkeypatch.setattr(runs, "run_one", lambda config, *rest: seen.append(config) or run(config, *rest))
    monkeypatch.setattr("simulations.language_model.plan.code_version", lambda function: "code")
    out = tmp_path / "t.parquet"
    words = ("--preset", "smoke", "--model", place, "--workers", 1, "--out", out)
    code, shown, _ = command(capsys, *words)
    assert (code, len(seen)) == (0, 2)
    assert f"wrote {out} and t.json" in shown
    assert "mean reward of the evaluation's answers" in shown
    assert command(capsys, *words)[1].endswith(f"{out} is complete: nothing to do\n")
    assert command(capsys, *words, "--seeds", 2, "--quiet") == (0, "", "")
    assert [config.seed for config in seen] == [0, 0, 1, 1]
    table = load(out, kind="language-model-learning")
    assert not (tmp_path / "t.partial").exists()
    assert table.config["preset"] == "smoke"
    assert len(table.config["runs"]) == 4
    assert {*COUNTS, "label", "task", "trainable", "model", "reward", "greedy_right"} <= set(table.frame.columns)
    assert table.frame["model"].unique()[0].startswith("tiny")
    assert set(table.sidecar) >= {
        "seconds",
        "versions",
        "versions_of_the_extra",
        "commit",
        "device",
        "code",
        "extends",
    }
    assert set(table.sidecar["seconds"][0]) == {"sampling", "gate", "backward", "optimizer", "evaluation"}
    fresh = [run(config, CPU, place)[0] for config in seen[::2]]
    expected = tidy(seen[::2], fresh)
    pd.testing.assert_frame_equal(table.frame[table.frame["label"] == seen[0].label].reset_index(drop=True), expected)
    assert summary_table(table.frame).row_count == 2


def test_what_a_step_costs_is_measured_by_phase(capsys, tmp_path, monkeypatch, place):
    monkeypatch.setattr(cost, "SIZES", {"smoke": Size(("all", "last-1"), 2)})
    out = tmp_path / "cost.parquet"
    words = ("--study", "cost", "--preset", "smoke", "--model", place, "--out", out)
    code, shown, _ = command(capsys, *words)
    assert code == 0
    assert "screening" in shown
    frame = with_seconds(load(out, kind=cost.KIND))
    assert frame["rows"].tolist() == 3 * [32, 8, 4, 1]
    assert list(zip(frame["trainable"], frame["reuse"], strict=True))[::4] == [
        ("all", False), ("last-1", True), ("last-1", False),
    ]  # fmt: skip
    assert frame["rate"].tolist() == 3 * list(RATES)
    assert all(len(rounds) == 2 and all(len(times) == len(PARTS) for times in rounds) for rounds in frame["seconds"])
    assert command(capsys, *words)[1].endswith("is complete: nothing to do\n")
    code, _, err = command(capsys, *words, "--seeds", 2)
    assert (code, "settings of its own" in err) == (2, True)
    assert json.loads(out.with_suffix(".json").read_text())["parts"] == list(PARTS)
