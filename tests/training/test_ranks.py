"""Three ranks, one of which has no answer at all, take the step of one process with the whole batch."""

import pytest
import torch
from rank_processes import on_processes
from rank_work import CASES, PARTS, SCREENED, SINGLE, WRAPPERS, alignments, answer_update, everything, screened_update


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return on_processes(len(PARTS), everything, tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def alone():
    return {case: answer_update(case) for case in CASES}


def assert_same_gradients(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("how", WRAPPERS)
@pytest.mark.parametrize("case", CASES)
def test_answers_have_the_selection_and_the_gradient_of_one_process(found, alone, case, how):
    ranks, expected = [each["answers"][how, case] for each in found], alone[case]
    assert torch.equal(torch.cat([each["keep"] for each in ranks]), expected["keep"])
    for each in ranks:
        for name in ("n_valid", "n_kept", "n_invalid", "n_eligible", "normaliser", "drawn"):
            assert torch.equal(each[name], expected[name]), name
        assert each["price"] == expected["price"]
        assert_same_gradients(each["gradients"], expected["gradients"])


def test_the_cases_keep_something_on_some_ranks_and_nothing_on_others(alone):
    kept = {case: [int(part.sum()) for part in each["keep"].split(PARTS)] for case, each in alone.items()}
    assert all(0 in parts for parts in kept.values())
    assert sum(max(parts) > 0 for parts in kept.values()) == len(CASES) - 1  # "nothing" keeps nothing
    assert alone["rows"]["gradients"]["head.weight"].abs().max() > 1e-3


@pytest.mark.parametrize("how", WRAPPERS)
@pytest.mark.parametrize("index", range(len(SCREENED)), ids=lambda index: str(SCREENED[index]))
def test_actions_selections_and_parameters_are_those_of_one_process(found, index, how):
    expected, ranks = screened_update(SCREENED[index]), [each["screened"][how, index] for each in found]
    assert torch.equal(torch.cat([each["actions"] for each in ranks]), expected["actions"])
    assert torch.equal(torch.cat([each["keep"] for each in ranks]), expected["keep"])
    assert sum(each["backward_samples"] for each in ranks) == expected["backward_samples"]
    for each in ranks:
        assert torch.equal(each["n_kept"], expected["n_kept"])
        assert each["price"] == expected["price"]
        assert_same_gradients(each["gradients"], expected["gradients"])
        assert_same_gradients(each["parameters"], expected["parameters"])


@pytest.mark.parametrize("how", WRAPPERS)
def test_the_kept_gradient_is_compared_with_that_of_the_global_batch(found, how):
    expected = alignments()
    assert ((expected.abs() > 0.1) & (expected < 0.99)).all()
    for each in found:
        torch.testing.assert_close(each["aligned"][how], expected, rtol=1e-10, atol=0.0)


def test_a_policy_and_ranks_that_do_not_fit_are_refused(found):
    for each in found:
        untold, nobody, sharded = each["refused"]
        assert untold.startswith(
            "the policy DistributedDataParallel averages gradients over ranks: pass ranks=Ranks()"
        )
        assert nobody.startswith("with ranks the policy must be DistributedDataParallel(policy), or sharded by")
        assert sharded.startswith("the policy FSDPPolicyMLP averages gradients over ranks")


def test_gradients_are_sent_once_whatever_the_number_of_micro_batches(found):
    batches, sent = zip(*(each["sent"] for each in found), strict=True)
    assert batches[1] == 0 < batches[0] < batches[2]
    assert sent == (1, 1, 1)


@pytest.mark.parametrize("how", SINGLE)
def test_single_precision_is_averaged_too(found, how):
    expected = answer_update("softly", dtype=torch.float32)["gradients"]
    for each in found:
        for name, gradient in expected.items():
            torch.testing.assert_close(each[how][name], gradient, rtol=1e-3, atol=1e-5)
    assert max(float(gradient.abs().max()) for gradient in expected.values()) > 0.01
