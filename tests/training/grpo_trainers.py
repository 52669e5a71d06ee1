"""TRL's trainer with a gate and what it is held to, TRL's own with the dropped advantages at zero, for tests.

A tiny random model in float64, a tokenizer made here, answers from a seeded function: nothing is downloaded.
"""

import gc
import types
import warnings

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="the extra `trl` is not installed")
    trl = pytest.importorskip("trl", reason="the extra `trl` is not installed")
    from datasets import Dataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    from kondo_theory.gate import Gate
    from kondo_theory.training.grpo import GatedGRPOTrainer

V, GROUP, LONGEST = 13, 4, 6
WORDS = ["<pad>", "<eos>", *"abcdefghijk"]


@pytest.fixture(autouse=True)
def quick_and_quiet(monkeypatch):
    """TRL reports its use, but not in CI, and before it trains it collects the garbage of all that is loaded."""
    monkeypatch.setenv("CI", "1")
    gc.freeze()
    yield
    gc.unfreeze()


def tokenizer():
    tokens = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<pad>"))
    tokens.pre_tokenizer = Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )


def model(dtype=torch.float64):
    torch.manual_seed(0)
    sizes = {"vocab_size": V, "n_embd": 12, "n_layer": 1, "n_head": 2, "n_positions": 16}
    rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    config = transformers.GPT2Config(**sizes, **rates, initializer_range=0.5, bos_token_id=1, eos_token_id=1)
    return transformers.GPT2LMHeadModel(config).to(dtype)


def data():
    prompts = ["a b c", "d", "e f", "g h i j", "b b", "c d e", "k", "a k"]
    return Dataset.from_dict({"prompt": prompts})


class Rollouts:
    """Answers of unequal length from a stream of their own; some do not end, some are another's in part."""

    def __init__(self, *, log_prob=None, another=False):
        self.generator, self.log_prob, self.another = torch.Generator().manual_seed(1), log_prob, another

    def __call__(self, prompts, trainer):
        prompt_ids = trainer.processing_class(prompts)["input_ids"]
        completion_ids, log_prob, mine = [], [], []
        for place in range(len(prompts)):
            length = int(torch.randint(1, LONGEST + 1, (), generator=self.generator))
            ids = torch.randint(2, V, (length,), generator=self.generator).tolist()
            completion_ids.append([*ids[:-1], 1] if place % 3 else ids)
            log_prob.append((-torch.rand(length, generator=self.generator)).tolist())
            mine.append([1, 0, 1, 1, 0, 1][:length])
        output = {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}
        if self.log_prob:
            output["logprobs"] = log_prob
        return output | ({"env_mask": mine} if self.another else {})


def reward(completion_ids, **_):
    """A number that has spread in most groups, and ties in some."""
    return [float(sum(ids) % 5 > 1) + 0.3 * (ids[0] > 8) for ids in completion_ids]


def settings(tmp_path, **options):
    plain = {"bf16": False, "use_cpu": True, "report_to": [], "save_strategy": "no", "logging_steps": 1}
    plain |= {"gradient_checkpointing": False, "optim": "sgd", "learning_rate": 0.5, "lr_scheduler_type": "constant"}
    plain |= {"max_grad_norm": 0.0, "max_steps": 3, "disable_tqdm": True, "dataloader_pin_memory": False}
    plain |= {"num_generations": GROUP, "max_completion_length": LONGEST}
    return trl.GRPOConfig(str(tmp_path), **plain | {"per_device_train_batch_size": 4} | options)


class Exact:
    """TRL computes log-probabilities in float32 whatever the model is in: here they are those of the model."""

    def _get_per_token_logps_and_entropies(self, model, ids, attention_mask, n, compute_entropy=False, **_):
        log_policy = model(input_ids=ids, attention_mask=attention_mask).logits[:, -n - 1 : -1].log_softmax(-1)
        log_prob = log_policy.gather(-1, ids[:, -n:, None])[..., 0]
        return log_prob, torch.special.entr(log_policy.detach().exp()).sum(-1), None


class MaskedAdvantages:
    """In front of the gated trainer: its selection, and then TRL's trainer as it is."""

    _prepare_inputs = trl.GRPOTrainer._prepare_inputs
    _compute_loss = trl.GRPOTrainer._compute_loss

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        keep = batch.pop("kondo_keep", None)
        return batch if keep is None else batch | {"advantages": batch["advantages"] * keep}


class Gated(Exact, GatedGRPOTrainer):
    pass


class Masked(MaskedAdvantages, Gated):
    pass


def build(kind, tmp_path, *, gate=None, rule="abs-advantage", rollouts=None, policy=None, reward=reward, **options):
    own = {name: options.pop(name) for name in ("level", "row_surprisal") if name in options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(
            policy or model(),
            reward,
            settings(tmp_path, **options),
            gate=gate or Gate(rate=0.3),
            rule=rule,
            train_dataset=data(),
            processing_class=tokenizer(),
            rollout_func=rollouts or Rollouts(),
            **own,
        )


def watch(trainer):
    """Record the rows of each forward pass with gradients, and the gradients before each optimizer step."""
    seen = types.SimpleNamespace(rows=[], without_gradient=[], gradients=[])

    def rows(module, args, kwargs):
        into = seen.rows if torch.is_grad_enabled() else seen.without_gradient
        into.append(len(kwargs["input_ids"]))

    trainer.model.register_forward_pre_hook(rows, with_kwargs=True)

    class Before(transformers.TrainerCallback):
        def on_pre_optimizer_step(self, *_, **__):
            parameters = trainer.model.parameters()
            seen.gradients.append([None if each.grad is None else each.grad.clone() for each in parameters])

    trainer.add_callback(Before())
    trainer.train()
    return seen
