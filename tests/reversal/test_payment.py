"""Zero prompts and noisy rewards: drawn from a stream of their own, the same run in any company, off by default."""

import json
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, TINY, checkpoint_at, run, tiny

from simulations.errors import InputError
from simulations.resuming.runs import records
from simulations.reversal.config import STREAMS, ReversalConfig
from simulations.reversal.gambles import study
from simulations.reversal.gambles.payment import Payment, luck_stream
from simulations.reversal.plan import _true_preset
from simulations.reversal.readings.gambling import EQUAL, NOISES, STUDY
from simulations.reversal.side_by_side.captured import CapturedSeeds
from simulations.reversal.side_by_side.seeds import ReversalSeeds, train
from simulations.reversal.stale.contenders import friction_streams
from simulations.reversal.studies import STUDIES
from simulations.reversal.training import ReversalRun, run_one, tidy
from simulations.verification.checks.labels import method_of

EASY = Payment(zero_prompts=1, zero_noise=0.5)
GATE = ReversalConfig("row-gate", rate=0.25, rule="abs-advantage", payment=EASY)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"zero_prompts": 1.0}, TypeError, "zero_prompts must be an integer, got 1.0"),
        ({"zero_prompts": -1}, ValueError, "zero_prompts must be at least 0, got -1"),
        ({"zero_noise": 0.1}, ValueError, "zero_noise belongs to zero prompts, got 0.1 without any"),
        ({"noise": float("inf")}, ValueError, "noise must be finite and at least 0, got inf"),
        (
            {"zero_prompts": 1, "zero_noise": 0.1, "noise": 0.2},
            ValueError,
            "zero_noise and noise exclude each other, got 0.1 and 0.2",
        ),
    ],
)
def test_a_payment_refuses_what_is_out_of_range(given, error, message):
    with pytest.raises(error, match=message):
        Payment(**given)


def test_not_all_prompts_may_be_zero():
    with pytest.raises(ValueError, match="zero_prompts must be below the 10 prompts of a batch, got 10"):
        ReversalConfig("pg", payment=Payment(10))


def test_labels_say_the_payment_and_checks_read_it():
    label = replace(GATE, payment=Payment(5, zero_noise=0.3)).label
    assert label == "row gate(25 %, abs-advantage), 5 zero prompts, zero noise 0.3"
    assert method_of(label) == {
        "method": "row gate", "ρ": 0.25, "rule": "abs-advantage", "zero prompts": 5, "zero noise": 0.3,
    }  # fmt: skip
    assert method_of(ReversalConfig("pg", payment=Payment(noise=2.0)).label) == {"method": "PG", "noise σ": 2.0}


def test_noise_goes_to_the_zero_prompts_alone_or_to_all_in_units_of_a_perfect_answer():
    generator = torch.Generator().manual_seed(1)
    easy, everywhere = Payment(2, zero_noise=0.5), Payment(2, noise=0.5)
    drawn = [each.luck([torch.Generator().manual_seed(1)], 4, 5_000).view(4, -1) for each in (easy, everywhere)]
    assert not drawn[0][2:].any()
    assert torch.equal(drawn[0][:2], drawn[1][:2])
    assert drawn[1].std(1) == pytest.approx(torch.full((4,), 0.5).numpy(), abs=5 * 0.5 / (2 * 5_000) ** 0.5)
    point = torch.tensor([3, 0, 1, 2])
    paid = Payment(1, zero_noise=0.5).paid(point, 10, [generator], 2, torch.float64)
    assert paid[2:].tolist() == [1.0, 2.0]
    assert (paid[:2] != point[:2]).all()
    assert Payment(1).paid(point, 10, [], 2, torch.float64) is point


def test_the_first_prompts_are_zero_and_the_others_stay():
    prompts = torch.randint(1, 5, (2, 4, 3))
    asked = Payment(3).asked(prompts)
    assert not asked[:, :3].any()
    assert torch.equal(asked[:, 3:], prompts[:, 3:])
    assert Payment().asked(prompts) is prompts


def test_kept_tokens_of_zero_prompts_are_counted():
    keep = torch.zeros(2, 6, 3, dtype=torch.bool)  # 2 seeds, 3 prompts of 2 answers
    keep[0, 1, 1] = keep[0, 3] = keep[0, 5] = keep[1, 4] = True
    assert Payment(2).kept_of_zeros(keep, 3).tolist() == [4, 0]
    assert int(Payment(1).kept_of_zeros(keep[0], 3)) == 1


def test_luck_has_a_stream_of_its_own():
    taken = {*ReversalConfig("pg", seed=3).streams().values(), *friction_streams(3).values()}
    assert luck_stream(3) not in taken
    assert len({luck_stream(seed) for seed in range(50)}) == 50
    assert STREAMS == ("initialisation", "prompts", "actions", "gate", "evaluation")


def test_the_default_draws_nothing_and_is_the_protocols_run():
    plain = run(ReversalConfig("pg"))
    assert not [name for name in plain if name.startswith("zero_")]
    assert "luck" not in ReversalRun(tiny(ReversalConfig("pg")), CPU).generators


def test_noise_alone_changes_what_is_learnt_and_no_prompt():
    runs = [ReversalRun(tiny(ReversalConfig("pg", payment=each)), CPU) for each in (Payment(), Payment(noise=0.5))]
    batches = [each.screened_batch() for each in runs]
    assert torch.equal(batches[0][0].tokens, batches[1][0].tokens)
    assert not torch.allclose(batches[0][1], batches[1][1])
    advantage = batches[1][1][:, 0].view(TINY["prompts"], -1)
    assert advantage.sum(1).abs().max() < 1e-6, "the noise is in the reward: the group mean takes its mean away"


@pytest.mark.parametrize("method", [GATE, ReversalConfig("dg", payment=Payment(1, noise=0.5))], ids=["gate", "dg"])
def test_seeds_side_by_side_are_the_runs_they_are_alone(method):
    configs = [tiny(method, seed=seed) for seed in (0, 1)]
    together = [curve for curve, _ in train(configs, CPU)]
    for config, curve in zip(configs, together, strict=True):
        [(alone, _)] = train([config], CPU)
        pd.testing.assert_frame_equal(curve, alone)
        single = run_one(config, CPU)[0]
        pd.testing.assert_frame_equal(curve[single.columns], single, rtol=1e-4, atol=1e-4, check_dtype=False)


def test_what_is_kept_of_zero_prompts_is_counted_along_a_run():
    curve = run(replace(GATE, payment=Payment(1, zero_noise=100.0)))
    assert curve["zero_backward_tokens"].iloc[0] == 0
    assert (curve["zero_backward_tokens"] == curve["backward_tokens"]).all(), "such noise outbids everything"
    full = run(ReversalConfig("pg", payment=EASY))
    assert (3 * full["zero_backward_tokens"] == full["backward_tokens"]).all()
    assert {"zero_token_error", "zero_greedy_sequence_error"} <= {*full}


@pytest.mark.parametrize("engine", ["alone", "side by side"])
def test_a_run_that_is_resumed_has_the_same_rows(tmp_path, engine):
    config, file = tiny(GATE), checkpoint_at(tmp_path / "state.pt")
    if engine == "alone":
        whole, half, again = (ReversalRun(config, CPU) for _ in range(3))
    else:
        whole, half, again = (ReversalSeeds([config], CPU) for _ in range(3))
    for runs, updates in ((whole, 4), (half, 2)):
        for _ in range(updates):
            runs.train_batch()
            runs.evaluate()
    half.save(file)
    again.restore(file.load())
    for _ in range(2):
        again.train_batch()
        again.evaluate()
    assert json.dumps(again.rows) == json.dumps(whole.rows)


def test_records_leave_the_default_out_so_that_tables_stay_finished():
    plain, easy = records([ReversalConfig("pg"), GATE])
    assert "payment" not in plain
    assert easy["payment"] == {"zero_prompts": 1, "zero_noise": 0.5, "noise": 0.0}


def test_tables_have_its_columns_where_a_run_has_another():
    curve = pd.DataFrame({"update": [0]})
    assert "zero_noise" not in tidy([ReversalConfig("pg")], [curve])
    table = tidy([ReversalConfig("pg"), GATE], [curve, curve])
    assert table[["zero_prompts", "zero_noise", "noise"]].to_numpy().tolist() == [[0, 0, 0], [1, 0.5, 0]]
    assert "final_norm" not in table


def test_recorded_batches_and_ranks_refuse_it():
    from simulations.reversal.over_ranks import RankedReversal

    with pytest.raises(ValueError, match="recorded batches have no zero prompts and no noise, got row gate"):
        CapturedSeeds([tiny(GATE)], CPU)
    with pytest.raises(InputError, match="over ranks there are no zero prompts and no noise, got row gate"):
        RankedReversal(tiny(GATE), None)


def test_the_study_has_every_method_at_every_noise_and_its_own_number_of_updates():
    found = STUDIES[STUDY].configs("quick")
    assert len(found) == len(set(found)) == 2 * len(study.CELLS) == 48
    assert {config.updates for config in found} == {300}
    assert _true_preset(found, STUDY) == "quick"
    assert _true_preset([replace(config, updates=299) for config in found], STUDY) == "smoke"
    by_noise = Counter(config.payment for config in study.CELLS)
    easy = [Payment(5, zero_noise=noise) for noise in NOISES]
    assert by_noise == {**dict.fromkeys(easy, 7), Payment(5, noise=EQUAL): 3}
