"""What steps tell of themselves: statistics of a selection, and how well the kept gradient points where all do."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.coefficient import token_coefficient
from kondo_theory.training.answers.passes import AnswerPasses
from kondo_theory.training.answers.scores import rank_answers
from kondo_theory.training.gated import GatedStep
from kondo_theory.training.observations import Observations
from kondo_theory.training.records import Screening
from kondo_theory.training.selection import Selection
from kondo_theory.training.statistics import Statistics, answer_statistics, row_statistics

__all__ = ["LoggedAnswerStep", "LoggedRowStep"]


class LoggedRowStep(GatedStep):
    """A step on samples that can be logged; see :class:`~kondo_theory.training.ScreenedStep`."""

    def statistics(
        self,
        screening: Screening,
        advantage: Tensor,
        selection: Selection,
        *,
        groups: int | Tensor | None = None,
        correct: Tensor | None = None,
    ) -> Statistics:
        """Return what to log of a selection, without waiting.

        Parameters, statistics and errors are those of :func:`~kondo_theory.training.answer_statistics`, each sample
        an answer of one token; ``entropy`` is there where the screening has ``log_policy``.
        """
        return row_statistics(screening, advantage, selection, groups=groups, correct=correct)

    def alignment(
        self, observations: Observations, screening: Screening, advantage: Tensor, selection: Selection
    ) -> Tensor:
        """Return the cosine of the kept rows' gradient with that of all, 0-d; NaN where one of them is zero.

        It costs a full backward pass, and that of the kept rows once more, which are not counted. Ask before the
        step: gradients stay as they are. Without a gate it is 1. Parameters and errors are those of ``backward``.
        """
        if self.gate is None:
            return torch.ones_like(advantage[0])

        def backward(kept: Selection) -> None:
            self.backward(observations, screening, advantage, kept)

        return self._cosine([selection, self._all_samples(advantage)], backward)

    @abstractmethod
    def backward(
        self, observations: Observations, screening: Screening, advantage: Tensor, selection: Selection
    ) -> None:
        """Add the gradient of what is selected to the parameters' own."""


class LoggedAnswerStep(AnswerPasses):
    """A step on answers that can be logged; see :class:`~kondo_theory.training.AnswerStep`."""

    level: str
    row_surprisal: str

    def statistics(
        self,
        answers: Answers,
        advantage: Tensor,
        selection: Selection,
        *,
        groups: int | Tensor | None = None,
        correct: Tensor | None = None,
    ) -> Statistics:
        """Return what to log of a selection, without waiting.

        Parameters, statistics and errors are those of :func:`~kondo_theory.training.answer_statistics`.
        """
        return answer_statistics(
            self.screened(answers),
            advantage,
            selection,
            by_token=self.level == "token",
            row_surprisal=self.row_surprisal,
            groups=groups,
            correct=correct,
        )

    def alignment(self, answers: Answers, advantage: Tensor, selection: Selection) -> Tensor:
        """Return the cosine of the kept tokens' gradient with that of all, 0-d; NaN where one of them is zero.

        It costs a full backward pass, and that of the kept tokens once more, which are not counted. Ask before the
        step: gradients stay as they are. Parameters and errors are those of ``backward``.
        """
        coefficient = token_coefficient(answers, advantage)
        everything = rank_answers(answers, advantage, level="token", rule=None).select(
            None, check=False, ranks=self.ranks
        )

        def backward(kept: Selection) -> None:
            self._write_kept(answers, kept.keep, coefficient, normaliser=1.0, scale=1.0, clear=False)

        return self._cosine([selection, everything], backward)
