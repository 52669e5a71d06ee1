"""The gates that are compared at the pretrained policy, what they make of a batch of answers, and what they keep."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kondo_theory.gate import delight, gate_probability, kept_count
from kondo_theory.training import Answers
from kondo_theory.training.answers import select_answers
from simulations.language_model.config import LanguageModelConfig

__all__ = ["GATES", "FrozenGate", "batch_facts", "kept_facts"]


@dataclass(frozen=True)
class FrozenGate:
    """One gate on answers: that of a run, or the same on the answers to each prompt by themselves."""

    config: LanguageModelConfig
    within: bool = False

    @property
    def label(self) -> str:
        """As tables name it; that of the runs it is trained in."""
        return self.config.label + (" within prompts" if self.within else "")

    @property
    def by_row(self) -> bool:
        """Whether answers are kept or dropped whole, with the weight one."""
        return self.config.level != "token" and self.config.method != "dg"

    def coefficient(self, answers: Answers, advantage: Tensor, generator: torch.Generator) -> Tensor:
        """Return kept · advantage · weight of each token, (B, L) float64.

        Parameters
        ----------
        answers : Answers
            As many to each prompt as the configuration says, side by side, with ``log_prob`` and ``entropy``.
        advantage : (B,) float64 tensor
        generator : torch.Generator
            Breaks ties.
        """
        size = self.config.answers if self.within else len(advantage)
        parts = [slice(first, first + size) for first in range(0, len(advantage), size)]
        keep = torch.cat([self._keep(_rows(answers, part), advantage[part], generator) for part in parts])
        found = torch.where(keep, advantage.unsqueeze(1), 0.0)
        return found * _delightful(answers, advantage) if self.config.method == "dg" else found

    def _keep(self, answers: Answers, advantage: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        return select_answers(
            answers,
            advantage,
            config.gate,
            level=config.level,
            rule=config.rule,
            row_surprisal=config.row_surprisal,
            groups=config.answers,
            rng=generator,
        ).keep


def _rows(answers: Answers, part: slice) -> Answers:
    names = ("tokens", "attention_mask", "answer_mask", "log_prob", "entropy")
    return replace(answers, **{name: getattr(answers, name)[part] for name in names})


def _delightful(answers: Answers, advantage: Tensor) -> Tensor:
    """Return the weights σ(χ) of tokens, (B, L)."""
    weight: Tensor = gate_probability(_token_delight(answers, advantage), 0.0, 1.0, check=False)
    return weight


def _token_delight(answers: Answers, advantage: Tensor) -> Tensor:
    assert answers.log_prob is not None
    found: Tensor = delight(advantage.unsqueeze(1), -answers.log_prob.double(), check=False)
    return found


def _gates() -> tuple[FrozenGate, ...]:
    def gate(method: str, rate: float, rule: str = "delight", row_surprisal: str = "sum") -> LanguageModelConfig:
        return LanguageModelConfig(f"{method}-gate", rate=rate, rule=rule, row_surprisal=row_surprisal)

    configs = [LanguageModelConfig("pg"), LanguageModelConfig("dg")]
    configs += [LanguageModelConfig(f"{level}-gate", price=0.0) for level in ("row", "token")]
    for rate in (0.25, 0.125):
        configs += [gate("row", rate, rule) for rule in ("delight", "abs-advantage", "uniform")]
        configs.append(gate("row", rate, row_surprisal="mean"))
    configs.append(gate("group", 0.25))
    for rate in (0.03, 0.2):
        configs += [gate("token", rate, rule) for rule in ("delight", "abs-advantage", "entropy")]
    within = [FrozenGate(gate("row", rate), within=True) for rate in (0.25, 0.125)]
    return (*map(FrozenGate, configs), *within)


GATES = _gates()
"""PG first."""


def kept_facts(answers: Answers, advantage: Tensor, reward: Tensor, coefficient: Tensor) -> dict[str, float]:
    """Return what is kept where a coefficient (B, L) is not zero: sums over a batch.

    kept_rows and kept_tokens; kept_surprisal, nats, and kept_entropy, of tokens; kept_reward, of rows; and
    kept_positive, rows of positive advantage.
    """
    assert answers.log_prob is not None
    assert answers.entropy is not None
    keep = coefficient != 0
    rows = keep.any(1)
    return {
        "kept_rows": float(rows.sum()),
        "kept_tokens": float(keep.sum()),
        "kept_surprisal": -float(answers.log_prob[keep].double().sum()),
        "kept_entropy": float(answers.entropy[keep].double().sum()),
        "kept_reward": float(reward[rows].sum()),
        "kept_positive": float((advantage[rows] > 0).sum()),
    }


def batch_facts(answers: Answers, advantage: Tensor, reward: Tensor, size: int) -> dict[str, float]:
    """Return what holds for a batch, whatever the gate: counts, and how few carry how much of the positive delight.

    answers, answer_tokens, reward and surprisal (sums over answers and over tokens), groups, groups_without_spread;
    delight_tokens_S, the share of tokens' positive delight in the top S % of tokens, and delight_rows_S of rows.
    """
    assert answers.log_prob is not None
    by_token = _token_delight(answers, advantage).masked_fill(~answers.answered, 0.0)
    facts = {
        "answers": float(len(reward)),
        "answer_tokens": float(answers.answered.sum()),
        "reward": float(reward.sum()),
        "surprisal": -float(answers.log_prob[answers.answered].double().sum()),
        "groups": len(reward) / size,
        "groups_without_spread": float((advantage.view(-1, size) == 0).all(1).sum()),
    }
    facts |= {f"delight_tokens_{each}": _carried(by_token[answers.answered], each / 100) for each in (1, 3, 10)}
    facts |= {f"delight_rows_{each:g}": _carried(by_token.sum(1), each / 100) for each in (12.5, 25)}
    return facts


def _carried(values: Tensor, share: float) -> float:
    """Return the part of the positive values that lies in the largest share of all; 0 if there are none."""
    positive = values.clamp(min=0)
    total = float(positive.sum())
    return float(positive.topk(int(kept_count(share, len(values)))).values.sum()) / total if total > 0 else 0.0
