"""The screened step: put the Kondo gate into a torch training loop and really skip the backward passes.

A gated update needs the whole batch only forward. :class:`ScreenedStep` runs that forward without a graph, gates it,
and then runs forward *and* backward on the kept rows alone, so activations are stored, and gradients computed, for
k rows instead of B. Its gradient is that of the masked full batch, normalised by B, or by k if that is asked for.
:class:`AnswerStep` (:mod:`.answers`) does so for the answers of a causal language model.

A gated update is always: score, select, backpropagate what was kept, step. :func:`select_samples` is the selection of
all steps, for one batch or batches side by side; :mod:`.gated` is what steps of one policy share, whatever their
batches are made of. :class:`StreamingGate` is a gate for steps that see few samples (:mod:`.streaming`); what a
step tells of itself is in :mod:`.statistics` and :mod:`.logged`. :func:`measure_flops` says what a sample costs. The
other modules are what any such step needs: what a policy must be (:mod:`.policies`), batches of observations
(:mod:`.observations`), their rows (:mod:`.rows`), what is handed on and counted (:mod:`.records`), whether two
forward passes are one policy (:mod:`.agreement`), a batch whose parts lie on the ranks of a process group
(:mod:`.ranks`).

The only package that imports torch.
"""

from kondo_theory.advantage import group_advantage
from kondo_theory.training.answers import Answers, AnswerStep
from kondo_theory.training.flops import FlopsPerSample, measure_flops
from kondo_theory.training.ranks import Ranks
from kondo_theory.training.records import Screening, StepCounts
from kondo_theory.training.selection import Selection, select_samples
from kondo_theory.training.statistics import Statistics, TrapSign, answer_statistics
from kondo_theory.training.step import ScreenedStep
from kondo_theory.training.streaming import StreamingGate

__all__ = [
    "AnswerStep",
    "Answers",
    "FlopsPerSample",
    "Ranks",
    "ScreenedStep",
    "Screening",
    "Selection",
    "Statistics",
    "StepCounts",
    "StreamingGate",
    "TrapSign",
    "answer_statistics",
    "group_advantage",
    "measure_flops",
    "select_samples",
]
