"""Token reversal: a transformer reads H tokens and writes them backwards, and is told only how good its answer was.

Protocol [KG §5, DG §5]: prompts uniform over M tokens; 10 prompts × 10 answers a batch; the advantage is the reward
minus the mean over the prompt's answers, shared by the answer's tokens; the loss is the mean over all answer tokens;
Adam, 3e-4. Every 50 updates the policy answers 1,000 fresh prompts, by sampling and greedily. Token error is the
share of wrong tokens, sequence error the share of answers with any.

Every seed has its own initialisation, prompts, actions, gate draws and evaluation prompts, and the methods share
them: differences between methods are paired by seed. A run that was killed and resumed has the same bytes as one that
was not. This is what a run is; :mod:`simulations.reversal.side_by_side.seeds` trains seeds of a method side by side.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from kondo_theory.training import Selection
from kondo_theory.training.ranks import Ranks
from simulations.devices import clock
from simulations.errors import ReportedError
from simulations.networks.rollouts import Rollout, sample
from simulations.networks.sequence_counts import PHASES, SequenceCounts
from simulations.networks.sequence_step import Loss, SequenceStep
from simulations.networks.transformer import Transformer
from simulations.resuming.checkpoints import CheckpointFile
from simulations.reversal.config import LATER, STREAMS, ReversalConfig
from simulations.reversal.gambles.payment import ZERO_ANSWERS, Payment, luck_stream
from simulations.reversal.methods import objective
from simulations.reversal.objectives import advantage_of, error_columns, points, wrong_answers

__all__ = ["KIND", "ReversalRun", "objective", "run_one", "tidy"]

KIND = "reversal-learning-curves"


def run_one(
    config: ReversalConfig, device: torch.device, checkpoint: CheckpointFile | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train one policy and return its learning curve and where the time went.

    Parameters
    ----------
    config : ReversalConfig
    device : torch.device
    checkpoint : CheckpointFile, optional
        Saved when due, at evaluations, and at the end. If it holds a state the run goes on from there, to the same
        curve.

    Returns
    -------
    curve : DataFrame
        One row an evaluation (at update 0, every ``eval_every`` and at the end): update; the fields of
        :class:`simulations.networks.sequence_counts.SequenceCounts`, cumulative, evaluation not counted; train_reward
        (mean since the last evaluation, NaN at update 0); token_error, sequence_error (sampled), greedy_token_error,
        greedy_sequence_error; with reward ``prefix`` also prefix_error and greedy_prefix_error, one minus it; with
        ``bag`` the same, and multiset_error and greedy_multiset_error, of answers with a wrong multiset of tokens.
        With zero prompts also these errors on the zero prompt, zero_token_error and so on, and zero_backward_tokens.
    timings : DataFrame
        The same rows: update, and cumulative seconds of sampling, screening, training and evaluation.

    Raises
    ------
    ReportedError
        If the policy or the loss is not finite, or the checkpoint is damaged or of another run.
    """
    run = ReversalRun(config, device)
    state = checkpoint.load() if checkpoint is not None else None
    if state is not None:
        run.restore(state)
    try:
        if state is None:
            run.evaluate()
        while run.update < config.updates:
            run.train_batch()
            if run.update % config.eval_every == 0 or run.update == config.updates:
                run.evaluate()
                if checkpoint is not None and (checkpoint.is_due() or run.update == config.updates):
                    run.save(checkpoint)
    except FloatingPointError as error:
        raise run.diverged(error, checkpoint) from error
    return pd.DataFrame(run.rows), pd.DataFrame(run.timings)


class ReversalRun:
    """The state of one run: what a checkpoint must hold."""

    ranks: Ranks | None = None

    def __init__(self, config: ReversalConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        seeds = config.streams()
        self.generators = {name: torch.Generator(device).manual_seed(seeds[name]) for name in STREAMS[1:]}
        n_positions = 2 * config.length - 1
        policy = Transformer(config.vocab_size, n_positions, config.network, seed=seeds["initialisation"])
        policy = self._placed(policy)
        # Fused: a tenth of the default's time on a network this small, and no state on the default device.
        optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate, fused=True)
        self.step = SequenceStep(
            policy,
            optimizer,
            config.gate,
            granularity=config.granularity,
            rule=config.rule,
            group_size=config.answers,
            generator=self.generators["actions"],
            gate_generator=self.generators["gate"],
            ranks=self.ranks,
        )
        if config.payment.noisy:
            self.generators["luck"] = torch.Generator(device).manual_seed(luck_stream(config.seed))
        self.zero_tokens = torch.zeros((), dtype=torch.int64, device=device)  # backpropagated answers to zero prompts
        self.update = 0
        self.saved: int | None = None  # the update of the last good checkpoint
        self.rewards: list[Tensor] = []
        self.rows: list[dict[str, Any]] = []
        self.timings: list[dict[str, Any]] = []
        self.evaluation_seconds = 0.0

    def train_batch(self) -> None:
        """Sample a batch and take the method's optimizer steps on it."""
        batch, payment = self.screened_batch(), self.config.payment
        for _ in range(self.config.passes):
            self.step.update(*batch)
            if payment.zero_prompts:
                self.zero_tokens += payment.kept_of_zeros(batch[2].keep, self.config.prompts)
        self.update += 1

    def screened_batch(self) -> tuple[Rollout, Tensor, Selection, Loss]:
        """Sample a batch and select from it; return what :meth:`SequenceStep.update` takes."""
        config, step = self.config, self.step
        prompts = config.payment.asked(self._prompts(config.prompts, "prompts"))
        rollout = step.sample(prompts, config.length, config.answers)
        point = points(config.as_reversal(rollout.prompts), rollout.answers, config.reward)
        batch, dtype = len(point), rollout.log_policy.dtype
        luck = [self.generators["luck"]] if config.payment.noisy else []
        paid = config.payment.paid(point, config.length, luck, config.answers, dtype)
        advantage = advantage_of(paid, config.baseline, config.answers, batch, config.length, dtype)
        selection = step.select(rollout, advantage)
        self.rewards.append(self._mean(point.double()) / config.length)
        coefficient, loss = objective(config, rollout, advantage)
        return rollout, coefficient, selection, loss

    def evaluate(self) -> None:
        """Append the row of this update."""
        now, _ = clock(self.device)
        started, config = now(), self.config
        prompts = self._prompts(config.eval_prompts, "evaluation")
        errors = self._errors(prompts, "")
        if config.payment.zero_prompts:
            zeros = prompts.new_zeros(-(-config.eval_prompts // ZERO_ANSWERS), config.length)
            errors |= self._errors(zeros, "zero_") | {"zero_backward_tokens": int(self.zero_tokens)}
        reward = float(torch.stack(self.rewards).mean()) if self.rewards else math.nan
        self.rewards.clear()
        self.rows.append({"update": self.update, **self._counts(), "train_reward": reward, **errors})
        self.evaluation_seconds += now() - started
        seconds = {name: self.step.seconds[name] for name in PHASES}
        self.timings.append({"update": self.update, **seconds, "evaluation": self.evaluation_seconds})

    def _errors(self, prompts: Tensor, kind: str) -> dict[str, float]:
        """Return the errors of answers to prompts, sampled and greedy, by column."""
        config, errors = self.config, dict[str, float]()
        right = config.as_reversal(prompts)
        for prefix, greedy in (("", False), ("greedy_", True)):
            rollout = sample(
                self.step.network,
                prompts,
                config.length,
                generator=self.generators["evaluation"],
                greedy=greedy,
                ranks=self.ranks,
            )
            if not bool(rollout.log_policy.isfinite().all()):
                raise FloatingPointError("the policy's log-probabilities are not finite")
            *wrong, n_tokens, n_answers = self._total(wrong_answers(right, rollout.answers)).tolist()
            errors |= error_columns(config.reward, kind + prefix, wrong, n_tokens, n_answers)
        return errors

    def save(self, checkpoint: CheckpointFile) -> None:
        """Keep the state."""
        checkpoint.save(self.state())
        self.saved = self.update

    def diverged(self, error: FloatingPointError, checkpoint: CheckpointFile | None) -> ReportedError:
        """Return what to tell the user of a run that stopped being a number."""
        return self.config.diverged(error, self.update, checkpoint.path if checkpoint else None, self.saved)

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on."""
        return {
            "run": self._identity(),
            "update": self.update,
            "rows": self.rows,
            "timings": self.timings,
            **self._weights(),
            "generators": {name: generator.get_state() for name, generator in self.generators.items()},
        }

    def owns(self, state: Mapping[str, Any]) -> bool:
        """Return whether a state is one of this run's."""
        return bool(json.loads(state.get("run", "{}")) == json.loads(self._identity()))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state, refusing that of another run."""
        if not self.owns(state):
            found, own = json.loads(state.get("run", "{}")), json.loads(self._identity())
            different = ", ".join(sorted(name for name in own if found.get(name) != own[name]))
            raise ReportedError(f"the checkpoint belongs to another run, which differs in {different}")
        self.update = self.saved = state["update"]
        self.rows, self.timings = state["rows"], state["timings"]
        self._restore_weights(state)
        for name, generator in self.generators.items():
            generator.set_state(state["generators"][name])
        self.step.counts = SequenceCounts(**{name: self.rows[-1][name] for name in asdict(SequenceCounts())})
        self.step.seconds = {name: self.timings[-1][name] for name in PHASES}
        self.evaluation_seconds = self.timings[-1]["evaluation"]
        self.zero_tokens.fill_(self.rows[-1].get("zero_backward_tokens", 0))

    def _placed(self, policy: Transformer) -> Transformer:
        return policy.to(self.device)

    def _mean(self, values: Tensor) -> Tensor:
        return values.mean()

    def _total(self, numbers: Tensor) -> Tensor:
        return numbers

    def _counts(self) -> dict[str, int]:
        return asdict(self.step.counts)

    def _weights(self) -> dict[str, Any]:
        return {"policy": self.step.policy.state_dict(), "optimizer": self.step.optimizer.state_dict()}

    def _restore_weights(self, state: Mapping[str, Any]) -> None:
        self.step.policy.load_state_dict(state["policy"])
        self.step.optimizer.load_state_dict(state["optimizer"])

    def _identity(self) -> str:
        """Return what must agree for a resumed run to have the same bytes."""
        where = {"device": self.device.type, "torch": torch.__version__}
        return json.dumps(asdict(self.config) | where, sort_keys=True)

    def _prompts(self, number: int, stream: str) -> Tensor:
        shape = (number, self.config.length)
        return torch.randint(
            self.config.vocab_size, shape, generator=self.generators[stream], device=self.device
        )  # (P, H)


def tidy(configs: Sequence[ReversalConfig], curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the curves into one table with the configuration of each run in front, in the order of ``configs``.

    The baseline, the divergence, the last layers of the network and the task have columns if any run has another than
    the default, and so have the zero prompts and the noise: a table without them had the defaults.
    """
    settings = [asdict(config) for config in configs]
    for each in settings:
        network = each.pop("network")
        each |= {"final_norm": network["final_norm"], "head": network["head"], **each.pop("payment")}
    late = (LATER, asdict(Payment()))
    dropped = {name for group in late if all(each | group == each for each in settings) for name in group}
    frames = []
    for config, setting, curve in zip(configs, settings, curves, strict=True):
        columns = {key: value for key, value in setting.items() if key not in dropped}
        nullable = {key: math.nan if value is None else value for key, value in columns.items()}
        measured = {str(name): column for name, column in curve.items()}
        frames.append(pd.DataFrame({"label": config.label, **nullable, **measured}))
    return pd.concat(frames, ignore_index=True)
