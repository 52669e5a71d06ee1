"""The gate in the training of causal language models: answers are screened, selected and backpropagated in part.

:class:`Answers` is a batch, :class:`AnswerStep` one gated update on it. The other modules are what it is made of:
micro-batches packed by length (:mod:`.packing`), the model as a function to log-probabilities (:mod:`.causal_model`)
whose logits exist by chunks (:mod:`.token_log_prob`), which rules go with which level and gate (:mod:`.rules`), what
a gate ranks and keeps (:mod:`.scores`), losses (:mod:`.losses`) and counts (:mod:`.counts`).
"""

from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.losses import policy_loss, ppo_loss, truncated_loss
from kondo_theory.training.answers.scores import select_answers
from kondo_theory.training.answers.step import AnswerStep

__all__ = ["AnswerStep", "Answers", "policy_loss", "ppo_loss", "select_answers", "truncated_loss"]
