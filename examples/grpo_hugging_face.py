"""A GRPO loop on a Hugging Face model, made here and untrained, with a backward pass for one answer in eight.

    pip install 'kondo-theory[hf]'
    python examples/grpo_hugging_face.py [--full]

The task: one or two symbols, to be written backwards and ended. The gate keeps whole answers by delight, for which
the log-probabilities of sampling are there anyway. Another start may want another rule: docs/choosing-a-gate.md.
With --full a second model is trained on all answers, to compare; with another seed that one can stay at 2/3 for long.
"""

import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from kondo_theory import Answers, AnswerStep, Gate, group_advantage

PAD, END, GO, VOCABULARY = 0, 1, 2, 16
LONGEST, PROMPTS, GROUP, UPDATES = 2, 16, 16, 250


def make_model() -> LlamaForCausalLM:
    """Return a causal language model with random weights."""
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"pad_token_id": PAD, "bos_token_id": GO, "eos_token_id": END}
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=16, **sizes, **ends))


def draw_prompts(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return prompts, padded on the left, and the right answers, padded on the right, (n, LONGEST + 1) each."""
    symbols = torch.randint(GO + 1, VOCABULARY, (n, LONGEST))
    length, column = torch.randint(1, LONGEST + 1, (n, 1)), torch.arange(LONGEST)
    prompts = symbols.masked_fill(column < LONGEST - length, PAD)
    prompts = torch.cat([prompts, torch.full((n, 1), GO)], 1)
    backwards = symbols.flip(1).masked_fill(column >= length, PAD)
    return prompts, torch.cat([backwards, torch.full((n, 1), PAD)], 1).scatter(1, length, END)


def sample(model: LlamaForCausalLM, prompts: torch.Tensor) -> Answers:
    """Draw an answer to each prompt; the log-probabilities are those that it was drawn with."""
    attended = prompts != PAD
    options = {"do_sample": True, "max_new_tokens": LONGEST + 1, "output_logits": True}
    drawn = model.generate(prompts, attention_mask=attended.long(), return_dict_in_generate=True, **options)
    log_prob = model.compute_transition_scores(drawn.sequences, drawn.logits, normalize_logits=True)
    ends = drawn.sequences[:, prompts.shape[1] :] == END
    mine = ends.cumsum(1) - ends.long() == 0  # up to the first end, and the end itself
    return Answers(
        drawn.sequences,
        attention_mask=torch.cat([attended, mine], 1),
        answer_mask=torch.cat([torch.zeros_like(attended), mine], 1),
        log_prob=torch.cat([torch.zeros(attended.shape), log_prob], 1),
    )


def reward_of(answers: Answers, right: torch.Tensor) -> torch.Tensor:
    """Return the share of the right tokens that stand at their places, (B,)."""
    given, counted = answers.tokens[:, LONGEST + 1 :], right != PAD
    width = given.shape[1]  # less than it may be where every answer has ended
    return ((given == right[:, :width]) & counted[:, :width]).sum(1) / counted.sum(1)


def train(gate: Gate | None, *, updates: int = UPDATES, seed: int = 0) -> tuple[float, float, AnswerStep]:
    """Return the mean reward of the first and of the last ten updates, and the step with its counts."""
    torch.manual_seed(seed)
    model = make_model()
    step = AnswerStep(model, torch.optim.AdamW(model.parameters(), 1e-3), gate)
    rewards = []
    for _ in range(updates):
        prompts, right = (each.repeat_interleave(GROUP, 0) for each in draw_prompts(PROMPTS))
        answers = sample(model, prompts)
        reward = reward_of(answers, right)
        advantage, _ = group_advantage(reward, GROUP)
        step.update(answers, advantage, groups=GROUP)  # backward on the kept answers alone
        rewards.append(float(reward.mean()))
    return sum(rewards[:10]) / 10, sum(rewards[-10:]) / 10, step


def main(*, full: bool) -> None:
    """Train with the gate, and without if asked, and say what it has earned and cost."""
    gates = {"one answer in eight": Gate(rate=1 / 8)} | ({"all answers": None} if full else {})
    for name, gate in gates.items():
        start, end, step = train(gate)
        rows = f"{step.counts.backward_rows:,} of {step.counts.forward_rows:,} answers backpropagated"
        learns = "it learns" if end > start + 0.5 else "it does not learn"
        print(f"{name}: reward {start:.2f} at the start, {end:.2f} at the end: {learns}; {rows}")


if __name__ == "__main__":
    main(full="--full" in sys.argv[1:])
