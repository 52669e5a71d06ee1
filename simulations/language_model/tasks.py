"""Tasks that check themselves: a few worked examples and a question, and a reward for what is written behind them.

All problems of a task begin with the same examples, drawn once; a problem is a function of its random stream alone.
An answer ends with its line. No language model is needed here.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from kondo_theory.words import choice
from simulations.errors import InputError, ReportedError

__all__ = ["TASKS", "Problem", "Task", "TaskFunction", "problems", "reward_of", "share_right", "task_function"]

Reward = Callable[[str], float]
TaskFunction = Callable[[np.random.Generator], tuple[str, Reward]]
"""What a task of one's own is: from a random generator to a prompt, and a function from an answer to its reward."""

_WORDS = (
    "apple bird boat book bread bridge chair city clock cloud coat corn cow cup desk dog door duck farm fire fish"
    " flag flower forest fox frog garden gate gold grass hat hill horse house island key king lake lamp leaf lion"
    " map milk moon mouse music night ocean paper park pen piano pig pond queen rain ring river road rock roof room"
    " rope rose sand school sea sheep ship shoe silver sky snow song spoon star stone storm street sun table tiger"
    " tower town train tree truck wall watch water wave wheel wind window wolf wood"
)
_NOUNS = tuple(_WORDS.split())
_SEED_OF_EXAMPLES = 0


@dataclass(frozen=True)
class Problem:
    """A prompt, and the reward of an answer: the text behind it, up to its first line break."""

    prompt: str
    reward: Reward


@dataclass(frozen=True)
class Task:
    """A task: how a question is drawn, how it is written, what the right answer is.

    Attributes
    ----------
    title : str
    instruction : str
        The first line of a prompt.
    form : str
        A question as it is written, up to its answer; ``{}`` stands for it.
    draw : callable
        From a generator to a question and the parts of its answer.
    examples : int
        Worked examples in a prompt.
    """

    title: str
    instruction: str
    form: str
    draw: Callable[[np.random.Generator], tuple[str, Sequence[str]]]
    examples: int = 4

    def __call__(self, rng: np.random.Generator) -> tuple[str, Reward]:
        """Draw a problem: its prompt and its reward."""
        question, right = self.draw(rng)
        return _examples(self) + self.form.format(question), share_right(right)


@cache
def _examples(task: Task) -> str:
    rng, lines = np.random.default_rng(_SEED_OF_EXAMPLES), [task.instruction]
    for _ in range(task.examples):
        question, right = task.draw(rng)
        lines.append(f"{task.form.format(question)} {' '.join(right)}")
    return "\n".join(lines) + "\n"


def share_right(right: Sequence[str]) -> Reward:
    """Return the reward of an answer's parts, split at white space: the share that stands right at its place.

    Of what is too long or too short, each part too many or missing counts as wrong. A single part is right or wrong.
    """
    expected = list(right)

    def reward(answer: str) -> float:
        given = answer.split()
        found = sum(mine == other for mine, other in zip(given, expected, strict=False))
        return found / max(len(given), len(expected))

    return reward


def _reversal(words: int) -> Callable[[np.random.Generator], tuple[str, Sequence[str]]]:
    def draw(rng: np.random.Generator) -> tuple[str, Sequence[str]]:
        chosen = [_NOUNS[place] for place in rng.choice(len(_NOUNS), words, replace=False)]
        return " ".join(chosen), chosen[::-1]

    return draw


def _spelling(rng: np.random.Generator) -> tuple[str, Sequence[str]]:
    word = _NOUNS[rng.integers(len(_NOUNS))]
    return word, list(word)


def _addition(digits: int) -> Callable[[np.random.Generator], tuple[str, Sequence[str]]]:
    def draw(rng: np.random.Generator) -> tuple[str, Sequence[str]]:
        least = 0 if digits == 1 else 10 ** (digits - 1)
        first, second = (int(each) for each in rng.integers(least, 10**digits, 2))
        return f"{first} + {second}", [str(first + second)]

    return draw


def _digits(rng: np.random.Generator) -> tuple[str, Sequence[str]]:
    chosen = [str(each) for each in rng.integers(0, 10, 4)]
    return " ".join(chosen), chosen[::-1]


_REVERSE = "Words: {}\nReversed:"

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        f"reversal-{words}": Task(
            f"{words} words in reverse order", "Write the words in reverse order.", _REVERSE, _reversal(words)
        )
        for words in (3, 4, 6)
    }
    | {
        "spelling": Task("a word letter by letter", "Spell the word letter by letter.", "{}:", _spelling),
        "addition-1": Task("the sum of two numbers of one digit", "Add the numbers.", "{} =", _addition(1)),
        "addition-2": Task("the sum of two numbers of two digits", "Add the numbers.", "{} =", _addition(2)),
        "digits": Task(
            "four digits in reverse order",
            "Write the digits in reverse order.",
            "Digits: {}\nReversed:",
            _digits,
        ),
    }
)
"""By name. The reward is the share of the answer's parts that are right; sums are right or wrong."""


def task_function(name: str) -> TaskFunction:
    """Return a task of :data:`TASKS`, or a user's own from ``module:function``.

    The module may lie in the working directory, which Python's search path then has at its end.

    Raises
    ------
    InputError, ValueError
        If there is no such task, module or function.
    """
    module, colon, function = name.partition(":")
    if not colon:
        return TASKS[choice("task", name, TASKS)]
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        found: Any = getattr(import_module(module), function)
    except Exception as error:  # whatever a user's module does when it is imported
        raise InputError(f"task {name!r} is not a function of a module that can be imported: {error}") from error
    if not callable(found):
        raise InputError(f"task {name!r} must be a function, got a {type(found).__name__}")
    checked: TaskFunction = found
    next(problems(name, checked, 1, 0))
    return checked


def problems(name: str, task: TaskFunction, number: int, *place: int) -> Iterator[Problem]:
    """Yield problems: the same ones for the same place in the random stream, whatever was drawn before.

    Parameters
    ----------
    name : str
        Of the task, for errors.
    task : callable
    number : int
    place : int
        Nonnegative: a seed, and counters below it.

    Raises
    ------
    InputError
        If the task does not return a prompt and a function.
    """
    rng = np.random.default_rng(np.random.SeedSequence(place[0], spawn_key=place[1:]))
    for _ in range(number):
        drawn: Any = task(rng)
        if not (isinstance(drawn, tuple) and len(drawn) == 2 and isinstance(drawn[0], str) and callable(drawn[1])):
            raise InputError(f"task {name!r} must return a prompt and a function of the answer, got {drawn!r}")
        if not drawn[0]:
            raise InputError(f"task {name!r} must return a prompt that is not empty")
        yield Problem(*drawn)


def reward_of(problem: Problem, text: str) -> float:
    """Return the reward of what was written, which counts up to its first line break.

    Raises
    ------
    ReportedError
        If a user's own function does not return a finite number.
    """
    reward: Any = problem.reward(text.partition("\n")[0])
    try:
        value = float(reward)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ReportedError(f"a task's reward must be a finite number, got {reward!r}")
    return value
