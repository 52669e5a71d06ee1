"""Models of Hugging Face without a wrapper, and with low-rank adapters: random and tiny, nothing is downloaded."""

import warnings

import pytest
import torch
from answer_batches import V, advantages, masked_gradients, own_gradients, ragged, relative_error

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep
from kondo_theory.training.answers.rules import LEVELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
SMALL = {"vocab_size": V, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
LLAMA = SMALL | {"intermediate_size": 24, "num_key_value_heads": 1, "max_position_embeddings": 32}


def llama(**options):
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA | options))


def gpt2():
    sizes = {"vocab_size": V, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **rates, bos_token_id=0, eos_token_id=0))


def gemma2():
    """Its logits are capped behind the head."""
    options = {"head_dim": 8, "final_logit_softcapping": 1.0, "pad_token_id": 0}
    return transformers.Gemma2ForCausalLM(transformers.Gemma2Config(**LLAMA | options))


def adapted(*targets, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft = pytest.importorskip("peft", reason="the extra `hf` is not installed")
    config = peft.LoraConfig(r=2, target_modules=list(targets), task_type="CAUSAL_LM", **options)
    model = peft.get_peft_model(llama(), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


MODELS = {
    "llama": (llama, True),
    "tied": (lambda: llama(tie_word_embeddings=True), True),
    "gpt2": (gpt2, True),
    "gemma2": (gemma2, False),
    "adapters": (lambda: adapted("q_proj", "v_proj"), True),
    "an adapted head": (lambda: adapted("q_proj", "lm_head"), True),
    "adapters and a head that learns": (lambda: adapted("q_proj", modules_to_save=["lm_head"]), True),
}


def make(name):
    torch.manual_seed(0)
    return MODELS[name][0]().double()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_that_of_the_masked_full_batch(name, level):
    model = make(name)
    step = AnswerStep(
        model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        Gate(rate=0.4),
        level=level,
        micro_tokens=50,
        chunk_tokens=5,
    )
    selection = step.update(ragged(), advantages(), groups=2)
    assert (step._model._head is not None) == MODELS[name][1]
    expected = masked_gradients(model, ragged(), advantages(), selection.keep, ragged().answered.sum())
    rounding = 1e-6 if name == "gemma2" else 1e-10  # its norms are in float32 whatever the model is in
    assert relative_error(own_gradients(model), expected) < rounding


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("padding", ["left", "right", "both"])
def test_it_is_that_of_a_padded_batch_with_its_mask_and_positions(name, padding):
    """As a loop around such a model is written; a tokenizer's encoding is a mapping of these."""
    model, answers = make(name), ragged(padding)
    encoding = transformers.BatchEncoding(
        {"input_ids": answers.tokens.clamp(min=0), "attention_mask": answers.attended.long()}
    )
    step = AnswerStep(model, torch.optim.SGD(model.parameters(), lr=0.0), Gate(rate=0.4))
    answers = Answers(encoding["input_ids"], encoding["attention_mask"], answers.answer_mask)
    selection = step.update(answers, advantages())
    positions = (encoding["attention_mask"].cumsum(1) - 1).clamp(min=0)
    logits = model(**encoding, position_ids=positions).logits[:, :-1]
    log_prob = logits.log_softmax(-1).gather(-1, encoding["input_ids"][:, 1:, None])[..., 0]
    loss = -(selection.keep[:, 1:] * advantages()[:, None] * log_prob).sum() / answers.answered.sum()
    expected = list(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
    assert relative_error(own_gradients(model), expected) < 1e-10


@pytest.mark.parametrize("name", ["llama", "adapters"])
def test_where_nothing_is_kept_what_learns_has_a_zero_gradient_and_what_is_frozen_none(name):
    model = make(name)
    step = AnswerStep(model, torch.optim.SGD(model.parameters(), lr=0.0), Gate(price=1e9))
    step.update(ragged(), advantages())
    for parameter in model.parameters():
        assert (parameter.grad is not None) == parameter.requires_grad
        assert parameter.grad is None or not parameter.grad.any()
