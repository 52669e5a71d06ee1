"""Selection over ranks is that of one process on the ranks' batches, put one after another, bit for bit."""

import math
import typing
from itertools import pairwise

import pytest
import torch
from answer_batches import V, advantages, ragged
from ranks_side_by_side import on_ranks

from kondo_theory.gate import Gate, kept_count
from kondo_theory.training import Answers, Selection, StreamingGate, select_samples
from kondo_theory.training.answers.rules import LEVELS
from kondo_theory.training.answers.scores import rank_answers
from kondo_theory.training.ranks import select_over_ranks
from kondo_theory.training.ranks.selection import RankSelection

FIELDS = ("tokens", "attention_mask", "answer_mask", "log_prob")
GATES = (
    Gate(rate=0.3),
    Gate(rate=0.03),
    Gate(rate=1.0),
    Gate(price=0.0),
    Gate(price=0.5, temperature=0.3),
    Gate(rate=0.3, temperature=0.5),
    Gate(rate=0.3, temperature=0.5, calibrated=False),
    None,
)


def a_batch(seed, n, kind, dtype):
    """Scores, coefficients and a mask: many ties, numbers that are none, scores of −∞, padding."""
    generator = torch.Generator().manual_seed(seed)
    score = torch.randn(n, generator=generator, dtype=torch.float64).to(dtype)
    if kind == "ties":
        score = (score * 2).round() / 2
    if kind == "one value":
        score = torch.zeros(n, dtype=dtype)
    spoilt = torch.rand(n, generator=generator)
    score[spoilt < 0.1], score[(spoilt >= 0.1) & (spoilt < 0.2)] = math.nan, -math.inf
    coefficient = torch.ones(n, dtype=dtype)
    coefficient[(spoilt >= 0.2) & (spoilt < 0.25)] = math.inf
    mask = torch.rand(n, generator=generator) < 0.7
    if kind == "padding alone":
        mask[:] = False
    if kind == "few eligible":
        mask[n // 3 :] = False
    return score, coefficient, mask


def splits(seed, n, size):
    """Sizes of ``size`` parts of at least one sample."""
    generator = torch.Generator().manual_seed(seed)
    cuts = torch.randperm(n - 1, generator=generator)[: size - 1].sort().values + 1
    return [end - start for start, end in pairwise([0, *cuts.tolist(), n])]


def both(gate, score, coefficient, mask, sizes, *, check=True):
    """The selection of one process, and those of ranks with the sizes' parts."""
    whole = select_samples(score, gate, torch.Generator().manual_seed(9), coefficient=coefficient, mask=mask)
    edges = [sum(sizes[:rank]) for rank in range(len(sizes) + 1)]

    def work(ranks):
        own = slice(edges[ranks.rank], edges[ranks.rank + 1])
        generator = torch.Generator().manual_seed(9)
        found = select_over_ranks(
            score[own], gate, generator, ranks, coefficient=coefficient[own], mask=mask[own], check=check
        )
        return found, generator.get_state(), ranks.sent

    return whole, on_ranks(len(sizes), work)


@pytest.mark.parametrize("gate", GATES, ids=str)
@pytest.mark.parametrize("kind", ["plain", "ties", "one value", "padding alone", "few eligible"])
def test_it_is_that_of_one_process(gate, kind):
    for seed in range(6):
        n, size = 30 + 7 * seed, 1 + seed
        dtype = (torch.float32, torch.float64, torch.bfloat16)[seed % 3]
        score, coefficient, mask = a_batch(seed, n, kind, dtype)
        whole, parts = both(gate, score, coefficient, mask, splits(seed, n, size))
        assert torch.equal(torch.cat([found.keep for found, *_ in parts]), whole.keep)
        after = torch.Generator().manual_seed(9)
        select_samples(score, gate, after, coefficient=coefficient, mask=mask)
        for found, state, _ in parts:
            for name in ("n_valid", "n_kept", "n_invalid", "n_eligible"):
                assert torch.equal(getattr(found, name), getattr(whole, name)), name
            assert found.price == whole.price
            assert torch.equal(state, after.get_state())


def test_each_rank_sends_at_most_k_candidates_and_none_at_a_price():
    score, coefficient, mask = a_batch(0, 200, "plain", torch.float64)
    mask[100:] = False  # a rank with nothing valid
    sizes = [60, 40, 100]
    k = kept_count(0.1, int(mask.sum()))
    for gate, most in ((Gate(rate=0.1), 2 * (k + 1)), (Gate(price=0.0), 0), (Gate(price=0.0, temperature=0.1), 0)):
        _, parts = both(gate, score, coefficient, mask, sizes)
        assert [sent - 6 for *_, sent in parts] == [most] * 3


def test_a_part_of_one_rank_alone_is_the_whole():
    score, coefficient, mask = a_batch(3, 40, "ties", torch.float64)
    whole, ((found, *_),) = both(Gate(rate=0.2), score, coefficient, mask, [40])
    assert torch.equal(found.keep, whole.keep)
    assert torch.equal(found.rows, whole.rows)


def test_negative_control_ranks_that_gate_alone_keep_another_number():
    """Eight batches of 8 at 3 %: one each, an eighth of everything, in place of 2 of 64."""
    score = torch.randn(64, generator=torch.Generator().manual_seed(0))
    ones, mask = torch.ones(64), torch.ones(64, dtype=torch.bool)
    whole, parts = both(Gate(rate=0.03), score, ones, mask, [8] * 8)
    assert int(parts[0][0].n_kept) == int(whole.n_kept) == 2
    assert sum(int(select_samples(part, Gate(rate=0.03)).n_kept) for part in score.split(8)) == 8


@pytest.mark.parametrize("rule", ["delight", "uniform"])
@pytest.mark.parametrize("level", LEVELS)
def test_answers_are_kept_as_by_one_process(level, rule):
    """Groups are neighbours that lie within a rank, or numbers that mean the same on all ranks."""
    sizes, answers = (4, 2, 6), ragged(log_prob=torch.full((12, 13), -math.log(V), dtype=torch.float64))
    names = torch.tensor([7, 2, 7, 2, 5, 5, 5, 9, 9, 2, 0, 0])  # 2 and 5 are spread over ranks
    for groups in (2, names):
        options = {"level": level, "rule": rule}
        whole = rank_answers(answers, advantages(), groups=groups, **options)
        expected = whole.select(Gate(rate=0.4), torch.Generator().manual_seed(1))

        def work(ranks, groups=groups, options=options):
            own = slice(sum(sizes[: ranks.rank]), sum(sizes[: ranks.rank + 1]))
            part = Answers(*(getattr(answers, name)[own] for name in FIELDS))
            given = groups if isinstance(groups, int) else groups[own]
            ranked = rank_answers(part, advantages()[own], groups=given, ranks=ranks, **options)
            return ranked.select(Gate(rate=0.4), torch.Generator().manual_seed(1), ranks=ranks)

        found = on_ranks(3, work)
        assert torch.equal(torch.cat([each.keep for each in found]), expected.keep)
        assert 0 < expected.keep.sum() < answers.answered.sum()
        for each in found:
            assert (each.n_valid, each.n_kept, each.price) == (expected.n_valid, expected.n_kept, expected.price)


def test_generators_in_other_states_are_refused():
    score = torch.zeros(8)
    with pytest.raises(ValueError, match="the generator must be in the same state on all ranks"):
        on_ranks(
            2,
            lambda ranks: select_over_ranks(
                score, Gate(rate=0.5), torch.Generator().manual_seed(ranks.rank), ranks, check=True
            ),
        )


@pytest.mark.parametrize(
    ("gate", "seeds", "error", "message"),
    [
        (Gate(rate=0.4), (0, 1), ValueError, "the generator must be in the same state on all ranks"),
        (
            Gate(price=0.1, temperature=0.5),
            (0, 1),
            ValueError,
            "the generator must be in the same state on all ranks",
        ),
        (Gate(rate=0.4), None, ValueError, "needs a generator, in the same state on all of them, got None"),
        (StreamingGate(0.4), (0, 0), TypeError, "the gate must be a Gate or None, got StreamingGate"),
        (Gate(price=0.1), None, None, ""),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_at_every_level_ranks_keep_the_same_or_refuse(level, gate, seeds, error, message):
    answers = ragged(log_prob=torch.full((12, 13), -math.log(V), dtype=torch.float64))

    def work(ranks):
        own = slice(6 * ranks.rank, 6 * ranks.rank + 6)
        part = Answers(*(getattr(answers, name)[own] for name in FIELDS))
        rng = None if seeds is None else torch.Generator().manual_seed(seeds[ranks.rank])
        ranked = rank_answers(part, advantages()[own], level=level, groups=2, ranks=ranks)
        return int(ranked.select(gate, rng, ranks=ranks).n_kept)

    if error is None:
        assert len(set(on_ranks(2, work))) == 1
        return
    with pytest.raises(error, match=message):
        on_ranks(2, work)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gate": lambda score: score > 0}, TypeError, "the gate must be a Gate or None, got function"),
        ({"score": torch.zeros(2, 3)}, ValueError, r"a vector, those of one batch, got shape \(2, 3\)"),
        ({"rng": None}, ValueError, "needs a generator, in the same state on all of them, got None"),
    ],
)
def test_what_the_ranks_cannot_agree_on_is_refused(options, error, message):
    given = {"score": torch.zeros(4), "gate": Gate(rate=0.5), "rng": torch.Generator()} | options
    with pytest.raises(error, match=message):
        on_ranks(1, lambda ranks: select_over_ranks(**given, ranks=ranks))


def test_without_a_process_group_there_are_no_ranks():
    from kondo_theory.training.ranks import Ranks

    with pytest.raises(ValueError, match=r"call torch\.distributed\.init_process_group first"):
        Ranks()


def test_annotations_of_the_selection_are_found_where_it_stands():
    assert typing.get_type_hints(RankSelection.__init__)["gate"] == typing.get_type_hints(Selection)["gate"]
