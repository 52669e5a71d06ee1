"""Tasks: seeded, with rewards that say what is right; no language model is needed."""

import sys

import numpy as np
import pytest

from simulations.errors import InputError, ReportedError
from simulations.language_model.tasks import TASKS, Problem, problems, reward_of, share_right, task_function

RIGHT = {
    "reversal-3": lambda question: " ".join(question.split()[::-1]),
    "reversal-4": lambda question: " ".join(question.split()[::-1]),
    "reversal-6": lambda question: " ".join(question.split()[::-1]),
    "spelling": " ".join,
    "addition-1": lambda question: str(sum(map(int, question.split(" + ")))),
    "addition-2": lambda question: str(sum(map(int, question.split(" + ")))),
    "digits": lambda question: " ".join(question.split()[::-1]),
}


def question_of(name, problem):
    before, after = TASKS[name].form.split("{}")
    return problem.prompt.removesuffix(after).rpartition("\n")[2].removeprefix(before)


@pytest.mark.parametrize("name", TASKS)
def test_the_right_answer_earns_one_and_another_less(name):
    for problem in problems(name, TASKS[name], 20, 7):
        right = RIGHT[name](question_of(name, problem))
        assert reward_of(problem, f" {right}\nand what comes next") == 1
        assert reward_of(problem, f"{right} and more") < 1
        assert reward_of(problem, "") == 0


@pytest.mark.parametrize("name", TASKS)
def test_all_problems_share_their_worked_examples_which_are_right(name):
    first, second = (problem.prompt.splitlines() for problem in problems(name, TASKS[name], 2, 7))
    before, after = TASKS[name].form.split("{}")
    lines = 1 + after.count("\n")  # of a question with its answer
    assert first[:-lines] == second[:-lines]
    assert first[-lines:] != second[-lines:]
    assert len(first) == 1 + 5 * lines
    for place in range(1, len(first) - lines, lines):
        question, _, answer = "\n".join(first[place : place + lines]).partition(after)
        assert answer == f" {RIGHT[name](question.removeprefix(before))}"


@pytest.mark.parametrize("name", TASKS)
def test_a_place_in_the_stream_has_its_own_problems_whatever_was_drawn_before(name):
    def prompts(*place):
        return [problem.prompt for problem in problems(name, TASKS[name], 8, *place)]

    assert prompts(3, 1) == prompts(3, 1)
    assert prompts(3, 1) != prompts(3, 2)
    assert prompts(3, 1) != prompts(4, 1)


@pytest.mark.parametrize(
    ("answer", "reward"),
    [("a b c", 1), ("a b", 2 / 3), ("b a c", 1 / 3), ("a b c d", 3 / 4), ("", 0), ("x a b c", 0), ("  a\tb c ", 1)],
)
def test_the_share_that_is_right(answer, reward):
    assert share_right(("a", "b", "c"))(answer) == pytest.approx(reward)


def test_sums_are_of_their_digits():
    for name, most in (("addition-1", 18), ("addition-2", 198)):
        sums = [int(RIGHT[name](question_of(name, problem))) for problem in problems(name, TASKS[name], 300, 1)]
        assert max(sums) <= most
        assert len(set(sums)) > 15


def own(rng):
    return f"{rng.integers(10)} =", lambda answer: float(answer == "3")


def test_a_task_of_ones_own_is_a_function():
    function = task_function(f"{__name__}:own")
    (problem,) = problems("own", function, 1, 0)
    assert (reward_of(problem, "3\n4"), reward_of(problem, "4")) == (1, 0)


def test_it_may_lie_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "a_task_beside_me.py").write_text("def task(rng):\n    return 'a', len\n")
    with pytest.raises(InputError, match="No module named 'a_task_beside_me'"):
        task_function("a_task_beside_me:task")
    monkeypatch.chdir(tmp_path)
    (problem,) = problems("own", task_function("a_task_beside_me:task"), 1, 0)
    assert reward_of(problem, "four") == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reversal-5", "task must be one of reversal-3, .*, got 'reversal-5'; did you mean"),
        ("no_module_of_this_name:f", "is not a function of a module that can be imported: No module named"),
        ("..:f", "is not a function of a module that can be imported"),
        ("math:no_function", "has no attribute 'no_function'"),
        (":f", "is not a function of a module that can be imported"),
        ("math:pi", "must be a function, got a float"),
        ("builtins:repr", "must return a prompt and a function of the answer, got 'Generator"),
        (f"{__name__}:no_text", r"must return a prompt and a function of the answer, got \(3"),
        (f"{__name__}:empty", "must return a prompt that is not empty"),
    ],
)
def test_what_is_no_task_is_refused(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        task_function(name)
    assert "\n" not in str(caught.value)


def no_text(rng):
    return 3, len


def empty(rng):
    return "", len


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), "much", None])
def test_a_reward_that_is_no_number_is_refused(reward):
    with pytest.raises(ReportedError, match="a task's reward must be a finite number, got"):
        reward_of(Problem("x", lambda answer: reward), "y")


def test_rewards_of_random_answers_are_within_zero_and_one():
    rng = np.random.default_rng(0)
    for name, task in TASKS.items():
        for problem in problems(name, task, 20, 5):
            answer = " ".join(str(number) for number in rng.integers(0, 30, rng.integers(0, 6)))
            assert 0 <= reward_of(problem, answer) <= 1
