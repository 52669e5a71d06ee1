"""Drawing answers with a cache, and what it hands on: the same numbers as a pass over whole rows."""

import pytest
import torch
from tiny_models import CPU, model, tokenizer, transformers

from kondo_theory.gate import Gate
from kondo_theory.training import AnswerStep
from simulations.errors import InputError
from simulations.language_model.models import Tail, make_learner
from simulations.language_model.sampling import draw_answers, encode, line_ends

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
PROMPTS = ["W: ab\nR:", "R:", "sum 12 + 3 ="]


def drawn(network, before=None, *, seed=0, greedy=None, answers=4, most_tokens=6):
    words = tokenizer()
    return draw_answers(
        network,
        encode(words, PROMPTS, CPU),
        answers=answers,
        most_tokens=most_tokens,
        ends=line_ends(words, 64, CPU) | (torch.arange(64) % 9 == 0),  # so that rows end at many lengths
        generator=torch.Generator().manual_seed(seed),
        greedy=greedy,
        before=before,
    )


def whole_rows(network, answers):
    """Log-probabilities and entropies of each row by itself, without cache and padding, (B, L)."""
    log_prob, entropy = torch.zeros(answers.tokens.shape, dtype=torch.float64), torch.zeros_like(answers.log_prob)
    for row in range(len(answers.tokens)):
        places = answers.attended[row].nonzero().squeeze(1)
        tokens = answers.tokens[row, places]
        with torch.no_grad():
            policy = network(input_ids=tokens[None], use_cache=False).logits[0, :-1].log_softmax(-1)
        log_prob[row, places[1:]] = policy.gather(1, tokens[1:, None])[:, 0]
        entropy[row, places[1:]] = -(policy.exp() * policy).sum(1)
    return log_prob, entropy


def test_log_probabilities_and_entropies_are_those_of_whole_rows():
    network = model()
    answers = drawn(network).answers
    answers.require_values()
    lengths = answers.answered.sum(1)
    assert len(set(lengths.tolist())) > 2, "rows leave the batch at several lengths"
    mine = answers.answered
    for found, expected in zip((answers.log_prob, answers.entropy), whole_rows(network, answers), strict=True):
        assert (found[mine] - expected[mine]).abs().max() < 1e-10


def test_negative_control_another_model_has_other_log_probabilities():
    answers = drawn(model()).answers
    other = model()
    with torch.no_grad():
        other.model.layers[0].mlp.up_proj.weight.mul_(1.01)
    found, _ = whole_rows(other, answers)
    assert (found - answers.log_prob)[answers.answered].abs().max() > 1e-6


def test_an_answer_ends_with_its_first_end_or_is_cut():
    answers, begin = (found := drawn(model())).answers, found.begin
    ends = line_ends(tokenizer(), 64, CPU) | (torch.arange(64) % 9 == 0)
    for tokens, mine in zip(answers.tokens[:, begin:], answers.answered[:, begin:], strict=True):
        length = int(mine.sum())
        assert mine[:length].all()
        assert not ends[tokens[: length - 1]].any()
        assert ends[tokens[length - 1]] or length == 6


def test_draws_are_of_the_policy():
    """4,000 first tokens of one prompt against their probabilities, in standard errors."""
    network, n = model(), 4_000
    words = tokenizer()
    prompts = encode(words, PROMPTS[:1], CPU)
    first = draw_answers(
        network, prompts, answers=n, most_tokens=1, ends=line_ends(words, 64, CPU),
        generator=torch.Generator().manual_seed(1),
    ).answers.tokens[:, -1]  # fmt: skip
    with torch.no_grad():
        policy = network(input_ids=prompts.tokens).logits[0, -1].softmax(-1)
    share = torch.bincount(first, minlength=64) / n
    distance = (share - policy) / (policy * (1 - policy) / n).sqrt()
    assert distance.abs().max() < 4.5
    assert ((share - policy.roll(1)) / (policy.roll(1) / n).sqrt()).abs().max() > 10  # another policy is noticed


def test_greedy_rows_take_the_most_likely_token_and_others_do_not_notice():
    network = model()
    greedy = torch.arange(12) % 2 == 1
    found, other = drawn(network, greedy=greedy), drawn(network, greedy=greedy, seed=1)
    texts, others = found.texts(tokenizer()), other.texts(tokenizer())
    assert texts[1::2] == others[1::2]
    assert texts[::2] != others[::2]
    with torch.no_grad():
        best = network(input_ids=encode(tokenizer(), PROMPTS[:1], CPU).tokens).logits[0, -1].argmax()
    assert found.answers.tokens[1, found.begin] == best


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("gate", [None, Gate(rate=0.3)], ids=["all", "a third"])
def test_the_second_pass_behind_the_trunk_is_that_of_the_whole_model(blocks, gate):
    network = model()
    learner = make_learner(network, f"last-{blocks}", 0)
    assert isinstance(learner.second, Tail)
    found = drawn(network, learner.before)
    learner.take(found.hidden)
    advantage = torch.linspace(-1, 1, 12, dtype=torch.float64)
    gradients = []
    for second in (learner.second, network):
        step = AnswerStep(second, torch.optim.SGD(list(learner.parameters.values()), 0.0), gate, tolerance=1e-9)
        step.update(found.answers, advantage)
        gradients.append({name: each.grad.clone() for name, each in learner.parameters.items()})
    behind, whole = gradients
    assert len(behind) == 9 * blocks
    for name, expected in whole.items():
        assert (behind[name] - expected).norm() <= 1e-10 * expected.norm(), name
    assert all(each.grad is None for name, each in network.named_parameters() if name not in whole)


def test_negative_control_hidden_states_of_other_answers_are_refused():
    learner = make_learner(network := model(), "last-1", 0)
    learner.take(drawn(network, learner.before, seed=1).hidden)
    answers = drawn(network, learner.before).answers
    step = AnswerStep(learner.second, torch.optim.SGD(learner.second.parameters(), 0.0), None, tolerance=1e-9)
    with pytest.raises((ValueError, IndexError)):
        step.update(answers, torch.linspace(-1, 1, 12, dtype=torch.float64))


def test_the_tail_changes_nothing_about_the_model():
    network = model()
    before = network(input_ids=torch.tensor([[1, 2, 3]])).logits
    make_learner(network, "last-1", 0)
    assert len(network.model.layers) == 3
    assert torch.equal(network(input_ids=torch.tensor([[1, 2, 3]])).logits, before)


class Scaling(transformers.LlamaForCausalLM):
    """It does something to what goes into its blocks."""

    def forward(self, input_ids=None, inputs_embeds=None, **options):
        embedded = self.model.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        return super().forward(inputs_embeds=2 * embedded, **options)


def test_a_model_whose_trunk_cannot_be_left_out_is_refused():
    scaling = Scaling(model().config).double().eval()
    with pytest.raises(InputError, match="trunk of a Scaling cannot be left out"):
        make_learner(scaling, "last-1", 0)
    assert make_learner(scaling, "all", 0).before is None


def test_a_model_whose_blocks_are_not_known_is_refused():
    sizes = {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    other = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
    with pytest.raises(InputError, match="last blocks of a GPT2LMHeadModel are not known: train all, or lora-R"):
        make_learner(other, "last-1", 0)


def test_more_blocks_than_there_are_are_refused():
    with pytest.raises(ValueError, match="the model has 3 blocks, got last-4"):
        make_learner(model(), "last-4", 0)


def test_adapters_learn_alone_and_start_from_their_seed():
    pytest.importorskip("peft", reason="the extra `lm` is not installed")
    first, again, other = (make_learner(model(), "lora-2", seed) for seed in (1, 1, 2))
    names = list(first.parameters)
    assert names
    assert all("lora_" in name for name in names)
    same = [torch.equal(first.parameters[name], again.parameters[name]) for name in names]
    changed = [torch.equal(first.parameters[name], other.parameters[name]) for name in names]
    assert all(same)
    assert not all(changed)
    found = drawn(first.model)
    step = AnswerStep(first.second, torch.optim.SGD(list(first.parameters.values()), 0.1), None, tolerance=1e-5)
    step.update(found.answers, torch.linspace(-1, 1, 12, dtype=torch.float64))
    assert step.counts.backward_rows == 12
