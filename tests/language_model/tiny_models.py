"""A tiny random model of the same class as the real one, a tokenizer of letters, and runs of a second."""

import json
import warnings

import pytest
import torch

from simulations.language_model.config import LanguageModelConfig

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="the extra `lm` is not installed")

CPU = torch.device("cpu")
LETTERS = "\n :+=abcdefghijklmnopqrstuvwxyzSWDRALwr.0123456789"
SIZES = {"updates": 3, "eval_every": 2, "prompts": 2, "answers": 4, "eval_prompts": 3, "most_tokens": 5}


def tokenizer():
    """One token a letter; <unk> is the end of text too."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {"<unk>": 0} | {letter: place for place, letter in enumerate(dict.fromkeys(LETTERS), start=1)}
    letters = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    letters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    letters.decoder = decoders.Fuse()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="<unk>", eos_token="<unk>")


def model(*, dtype=torch.float64, blocks=3):
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": blocks}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512}
    ends = {"tie_word_embeddings": True, "initializer_range": 0.3, "bos_token_id": 0, "eos_token_id": 0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = transformers.LlamaConfig(**sizes, **heads, **ends)
        return transformers.LlamaForCausalLM(config).to(dtype).eval()


def directory(path):
    """Write the model and its tokenizer as a Hugging Face directory."""
    model(dtype=torch.float32).save_pretrained(path)
    tokenizer().save_pretrained(path)
    assert json.loads((path / "config.json").read_text())["model_type"] == "llama"
    return path


def tiny(method="pg", **changes):
    return LanguageModelConfig(method, **(SIZES | {"trainable": "last-2", "task": "tiny_tasks:letters"} | changes))
