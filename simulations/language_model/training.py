"""Training a language model on a task: answers are drawn, the gate keeps some, and only these go through it again.

Protocol: 4 prompts × 8 answers a batch at temperature 1; the advantage is the reward minus the mean over the answers
to a prompt; the loss is the mean over all answer tokens; AdamW. The gate ranks by the log-probabilities of sampling,
and the second pass is held to them. Answers without an advantage are never run again, whatever the method.

Every seed has its own problems, draws and evaluation, and the methods share them: differences between methods are
paired by seed. On the CPU each run uses one thread, so a run that was stopped and resumed has the same bytes as one
that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from kondo_theory.advantage import group_advantage
from kondo_theory.gate import delight, gate_probability
from kondo_theory.training import Answers, AnswerStep
from simulations.devices import clock
from simulations.errors import ReportedError
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.models import make_learner
from simulations.language_model.sampling import Drawn, draw_answers, encode, line_ends
from simulations.language_model.tasks import Problem, problems, reward_of, task_function

__all__ = ["COUNTS", "PHASES", "LanguageModelRun"]

PHASES = ("sampling", "gate", "backward", "optimizer")
"""What an update consists of; ``backward`` has the second forward pass too."""
COUNTS = (
    "forward_rows",
    "forward_tokens",
    "eligible",
    "kept",
    "backward_rows",
    "backward_tokens",
    "backward_positions",
    "groups",
    "groups_without_spread",
)
"""Fields of :class:`kondo_theory.training.answers.counts.AnswerCounts`."""
_SEEN = ("train_reward", "surprisal", "answer_tokens")
_EVALUATED_AT_ONCE = 50  # prompts; memory grows with them


class LanguageModelRun:
    """The state of one run: what a checkpoint must hold.

    Parameters
    ----------
    config : LanguageModelConfig
    device : torch.device
    model, tokenizer
        As :func:`simulations.language_model.weights.load_directory` returns them.
    """

    def __init__(self, config: LanguageModelConfig, device: torch.device, model: Any, tokenizer: Any) -> None:
        self.config, self.device, self.tokenizer = config, device, tokenizer
        self.task = task_function(config.task)
        self.seeds = config.streams()
        model = model.to(device)
        self.ends = line_ends(tokenizer, model.config.vocab_size, device)
        self.learner = make_learner(model, config.trainable, self.seeds["adapters"])
        self.generators = {
            name: torch.Generator(device).manual_seed(self.seeds[name])
            for name in ("sampling", "gate", "evaluation-sampling")
        }
        parameters = list(self.learner.parameters.values())
        self.step = AnswerStep(
            self.learner.second,
            torch.optim.AdamW(parameters, config.learning_rate, weight_decay=0.0),
            config.gate,
            level=config.level,
            rule=config.rule,
            row_surprisal=config.row_surprisal,
            micro_tokens=config.micro_tokens,
            generator=self.generators["gate"],
            tolerance=config.tolerance,
        )
        self.now, _ = clock(device)
        self.update = 0
        self.totals: dict[str, float] = dict.fromkeys((*COUNTS, "largest_gap"), 0)
        self.seconds = dict.fromkeys((*PHASES, "evaluation"), 0.0)
        self.since: list[dict[str, float]] = []  # what was seen since the last evaluation
        self.rows: list[dict[str, Any]] = []
        self.timings: list[dict[str, Any]] = []

    def train_batch(self) -> None:
        """Draw a batch of answers and learn from it."""
        config, started = self.config, self.now()
        asked = list(problems(config.task, self.task, config.prompts, self.seeds["problems"], self.update))
        drawn, reward = self.draw(asked, config.answers)
        advantage, _ = group_advantage(reward, config.answers)
        self.seconds["sampling"] += self.now() - started
        self._note(drawn.answers, reward)
        self.learner.take(drawn.hidden)
        self.learn(drawn.answers, advantage)
        self.update += 1

    def draw(self, asked: Sequence[Problem], answers: int) -> tuple[Drawn, Tensor]:
        """Draw answers to problems; return them and their rewards, (P·n,) float64."""
        drawn = draw_answers(
            self.learner.model,
            encode(self.tokenizer, [problem.prompt for problem in asked], self.device),
            answers=answers,
            most_tokens=self.config.most_tokens,
            ends=self.ends,
            generator=self.generators["sampling"],
            before=self.learner.before,
        )
        texts = drawn.texts(self.tokenizer)
        rewards = [reward_of(asked[place // answers], text) for place, text in enumerate(texts)]
        return drawn, torch.tensor(rewards, dtype=torch.float64, device=self.device)

    def learn(self, answers: Answers, advantage: Tensor) -> None:
        """Gate a batch, backpropagate what is kept, and step."""
        step, weight = self.step, self._weight(answers, advantage)
        before = dict(zip(COUNTS, (int(getattr(step.counts, name)) for name in COUNTS), strict=True))
        times = [self.now()]
        try:
            selection = step.select(answers, advantage, groups=self.config.answers, weight=weight)
            times.append(self.now())
            step.optimizer.zero_grad()
            step.backward(answers, advantage, selection, weight=weight)
        except (ValueError, FloatingPointError) as error:
            run = f"{self.config.label}, task {self.config.task}, seed {self.config.seed}"
            raise ReportedError(f"{run}, stopped after update {self.update}: {error}") from error
        times.append(self.now())
        step.step()
        times.append(self.now())
        for phase, (start, end) in zip(PHASES[1:], pairwise(times), strict=True):
            self.seconds[phase] += end - start
        for name in COUNTS:
            self.totals[name] += int(getattr(step.counts, name)) - before[name]
        gap = step.counts.largest_gap
        self.totals["largest_gap"] = max(self.totals["largest_gap"], 0.0 if math.isnan(gap) else gap)

    def evaluate(self) -> None:
        """Append the row of this update."""
        config, started = self.config, self.now()
        place = self.seeds["evaluation-problems"]
        wanted = config.eval_prompts if self.update == config.updates else config.watch_prompts
        asked = list(problems(config.task, self.task, min(wanted, config.eval_prompts), place))
        rewards: dict[bool, list[float]] = {False: [], True: []}
        for first in range(0, len(asked), _EVALUATED_AT_ONCE):
            part = asked[first : first + _EVALUATED_AT_ONCE]
            greedy = torch.arange(2 * len(part), device=self.device) % 2 == 1
            drawn = draw_answers(
                self.learner.model,
                encode(self.tokenizer, [problem.prompt for problem in part], self.device),
                answers=2,
                most_tokens=config.most_tokens,
                ends=self.ends,
                generator=self.generators["evaluation-sampling"],
                greedy=greedy,
            )
            for number, text in enumerate(drawn.texts(self.tokenizer)):
                rewards[number % 2 == 1].append(reward_of(part[number // 2], text))
        found: dict[str, float] = {}
        for prefix, each in (("", rewards[False]), ("greedy_", rewards[True])):
            found[f"{prefix}reward"] = math.fsum(each) / len(each)
            found[f"{prefix}right"] = sum(value == 1 for value in each) / len(each)
        means = {name: _mean([each[name] for each in self.since]) for name in _SEEN}
        self.since.clear()
        gap = self.totals["largest_gap"]
        counts = {name: int(self.totals[name]) for name in COUNTS}
        self.rows.append({"update": self.update, **counts, **means, "largest_gap": gap, **found})
        self.seconds["evaluation"] += self.now() - started
        self.timings.append({"update": self.update, **self.seconds})

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on."""
        return {
            "run": self._identity(),
            "update": self.update,
            "totals": self.totals,
            "seconds": self.seconds,
            "since": self.since,
            "rows": self.rows,
            "timings": self.timings,
            "parameters": {name: each.detach() for name, each in self.learner.parameters.items()},
            "optimizer": self.step.optimizer.state_dict(),
            "generators": {name: generator.get_state() for name, generator in self.generators.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state, refusing that of another run."""
        found, own = json.loads(state.get("run", "{}")), json.loads(self._identity())
        if different := sorted(name for name in own if found.get(name) != own[name]):
            raise ReportedError(f"the checkpoint belongs to another run, which differs in {', '.join(different)}")
        for name in ("update", "totals", "seconds", "since", "rows", "timings"):
            setattr(self, name, state[name])
        with torch.no_grad():
            for name, each in self.learner.parameters.items():
                each.copy_(state["parameters"][name])
        self.step.optimizer.load_state_dict(state["optimizer"])
        for name, generator in self.generators.items():
            generator.set_state(state["generators"][name])

    def _weight(self, answers: Answers, advantage: Tensor) -> Tensor | None:
        """Return the weights of ``dg``, (B, L); None for all other methods."""
        if self.config.method != "dg":
            return None
        assert answers.log_prob is not None
        chi = delight(advantage.unsqueeze(1).to(answers.log_prob.dtype), -answers.log_prob, check=False)
        weight: Tensor = gate_probability(chi, 0.0, 1.0, check=False)
        return weight

    def _note(self, answers: Answers, reward: Tensor) -> None:
        assert answers.log_prob is not None
        length = int(answers.answered.sum())
        surprisal = -float(answers.log_prob[answers.answered].double().sum()) / length
        seen = (float(reward.mean()), surprisal, length / len(reward))
        self.since.append(dict(zip(_SEEN, seen, strict=True)))

    def _identity(self) -> str:
        """Return what must agree for a resumed run to have the same bytes."""
        return json.dumps(asdict(self.config) | {"device": self.device.type, "torch": torch.__version__})


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
