"""Tasks and the bag of tokens: targets and rewards by hand and by counting, and which problems are the same."""

from collections import Counter

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, tiny

from simulations.networks.transformer import Architecture, Transformer
from simulations.results.tables import COMMITTED, load
from simulations.reversal.config import ReversalConfig
from simulations.reversal.objectives import (
    TASKS,
    as_reversal,
    error_columns,
    points,
    right_in_bag,
    wrong_answers,
)
from simulations.reversal.plan import ReversalPlan
from simulations.reversal.readings.tasks import CELLS
from simulations.reversal.side_by_side.seeds import train
from simulations.reversal.studies import OTHER_TASKS, STUDIES
from simulations.reversal.training import run_one, tidy
from simulations.verification.checks.labels import method_of

BY_HAND = {"reverse": [4, 2, 0], "copy": [0, 2, 4], "flip": [4, 2, 0], "reverse-flip": [0, 2, 4]}


@pytest.mark.parametrize("task", TASKS)
def test_the_right_answer_of_each_task_by_hand(task):
    prompt, answer = torch.tensor([[0, 2, 4]]), torch.tensor([BY_HAND[task]])
    for reward in ("fraction", "prefix", "exact", "bag"):
        assert points(as_reversal(prompt, task, 5), answer, reward).tolist() == [3]
    wrong = torch.tensor([[1, 1, 1]])
    assert points(as_reversal(prompt, task, 5), wrong, "fraction").tolist() == [0]


def test_a_task_of_two_tokens_by_hand():
    prompt = torch.tensor([[0, 0, 1]])
    right = {"reverse": [1, 0, 0], "copy": [0, 0, 1], "flip": [1, 1, 0], "reverse-flip": [0, 1, 1]}
    for task, answer in right.items():
        found = {t: points(as_reversal(prompt, t, 2), torch.tensor([answer]), "exact").item() == 3 for t in right}
        assert [name for name, is_right in found.items() if is_right] == [task]


def test_unknown_tasks_are_refused_with_the_list():
    message = "task must be one of reverse, copy, flip, reverse-flip, got 'joy'"
    with pytest.raises(ValueError, match=message):
        as_reversal(torch.zeros(1, 2, dtype=torch.int64), "joy", 2)
    with pytest.raises(ValueError, match=message):
        ReversalConfig("pg", task="joy")


def test_the_bag_counts_the_tokens_that_both_have():
    generator = torch.Generator().manual_seed(0)
    prompts, answers = torch.randint(4, (2, 200, 7), generator=generator)
    common = [
        sum((Counter(one) & Counter(other)).values())
        for one, other in zip(prompts.tolist(), answers.tolist(), strict=True)
    ]
    assert len(set(common)) > 3
    assert points(prompts, answers, "bag").tolist() == common
    assert right_in_bag(prompts, answers).sum(1).tolist() == common
    *wrong, n_tokens, n_answers = wrong_answers(prompts, answers).tolist()
    errors = error_columns("bag", "", wrong, n_tokens, n_answers)
    assert list(errors) == ["token_error", "sequence_error", "bag_error", "multiset_error"]
    assert errors["bag_error"] == pytest.approx(1 - sum(common) / (7 * 200))
    assert errors["multiset_error"] == pytest.approx(sum(each < 7 for each in common) / 200)
    assert "bag_error" not in error_columns("fraction", "", wrong, n_tokens, n_answers)


def curve(task, reward):
    """What a short run earns, and its errors by the bag if there are any: not those by position."""
    config = tiny(ReversalConfig("row-gate", rate=0.3, task=task, reward=reward, vocab_size=3), updates=3)
    ((found, _),) = train([config], CPU)
    return found[[column for column in found if column == "train_reward" or "bag" in column or "multiset" in column]]


def test_by_the_bag_copying_is_reversing_and_flipping_is_reverse_flipping_batch_by_batch():
    reverse, copy, flip, back = (curve(task, "bag") for task in ("reverse", "copy", "flip", "reverse-flip"))
    assert reverse.equals(copy)
    assert flip.equals(back)
    assert not reverse.equals(flip), "the tokens of the right answer are others"
    assert not curve("reverse", "prefix").equals(curve("copy", "prefix")), "by the beginning the order counts"


def log_probabilities(length, flipped, own_embeddings=False):
    """Log-probabilities of answers 0 … 0 to prompts 0 … 0, answer tokens renamed throughout if ``flipped``."""
    policy = Transformer(2, 2 * length - 1, Architecture(8, 2, 1, 8, head="default"), seed=0).double()
    answer = 1 if flipped else 0
    if flipped:
        policy.head.weight.data = policy.head.weight.data.flip(0)
    read = 0 if own_embeddings else answer  # the renamed token has the embedding of the other, or its own
    tokens = torch.tensor([[0] * length + [read] * (length - 1)])
    return policy(tokens, n_logits=length).log_softmax(-1)[0, :, answer]


def test_flipping_is_copying_renamed_if_answer_tokens_have_embeddings_of_their_own():
    assert torch.equal(log_probabilities(1, False), log_probabilities(1, True))
    assert torch.equal(log_probabilities(2, False), log_probabilities(2, True, own_embeddings=True))
    shared = (log_probabilities(2, False) - log_probabilities(2, True)).abs()
    assert shared[0] == 0, "before an answer token is read the two are the same"
    assert shared[1] > 1e-3, "negative control: here the prompt's embeddings are the answer's"


def test_a_run_side_by_side_is_the_run_alone():
    """Before the first draw that rounding decides: the first evaluation and the counts."""
    config = tiny(ReversalConfig("pg", task="flip", reward="bag"), vocab_size=3, updates=1, eval_every=1)
    (alone, _), ((beside, _),) = run_one(config, CPU), train([config], CPU)
    columns = ["update", "forward_rows", "backward_tokens", "train_reward", "token_error", "bag_error"]
    assert alone[columns].equals(beside[columns])


def test_a_table_has_a_column_of_the_task_where_a_run_has_another():
    frame = pd.DataFrame({"update": [0]})
    plain, other = ReversalConfig("dg"), ReversalConfig("dg", task="reverse-flip")
    assert "task" not in tidy([plain], [frame])
    assert tidy([plain, other], [frame, frame])["task"].tolist() == ["reverse", "reverse-flip"]
    assert other.label == "DG, reverse-flip task"
    assert method_of(other.label) == {"method": "DG", "task": "reverse-flip"}


def test_runs_that_reverse_have_the_records_that_they_had_before_there_were_tasks():
    table = load(COMMITTED / "reversal-neighbours-quick.parquet", kind="reversal-neighbours")
    configs = tuple(STUDIES["neighbours"].configs("quick"))
    plan = ReversalPlan("quick", configs, "cpu", 1, COMMITTED / "none.parquet", False, study="neighbours")
    assert plan.records == table.config["runs"]
    flipped = ReversalPlan("quick", (ReversalConfig("pg", task="flip"),), "cpu", 1, COMMITTED / "none.parquet", False)
    assert flipped.records[0]["task"] == "flip"


def test_the_study_has_every_cell_but_the_one_that_study_reward_has():
    assert {*OTHER_TASKS, ("reverse", "prefix")} == set(CELLS)
    cells = {(config.task, config.reward) for config in STUDIES["tasks"].methods}
    assert cells == set(OTHER_TASKS)
