"""Two and four ranks end where one process does, with the same curve; a state is no matter of ranks or shards."""

import math

import pytest
import torch
from rank_processes import on_processes
from small_runs import CONFIGS, CPU, DATA, MNIST, RUNS_OF, UPDATES, every_run, run_of, trained

from simulations.mnist.config import MnistConfig
from simulations.mnist.training import SeedProgram
from simulations.ranks.placing import process_group

PHYSICAL = {"processed_tokens", "training_flops"}  # a rank cuts its rows by itself


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two ranks found, and each of four."""
    return {size: on_processes(size, every_run, tmp_path_factory.mktemp("ranks")) for size in RUNS_OF}


@pytest.fixture(scope="module")
def alone():
    with process_group(CPU, 20):
        return {name: trained(name) for name in CONFIGS}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=0, atol=1e-10)


def assert_same_rows(found, expected, *, but=()):
    assert len(found) == len(expected)
    for mine, other in zip(found, expected, strict=True):
        assert mine.keys() == other.keys()
        wrong = {
            name: (mine[name], other[name])
            for name in mine.keys() - set(but)
            if not (math.isclose(mine[name], other[name], rel_tol=1e-12) or mine[name] != mine[name])
        }
        assert wrong == {}


@pytest.mark.parametrize(("size", "name", "shard"), [(size, *run) for size, runs in RUNS_OF.items() for run in runs])
def test_the_parameters_and_the_curve_are_those_of_one_process(ranks, alone, size, name, shard):
    found = [rank[name, shard] for rank in ranks[size]]
    assert_close(found[0]["parameters"], alone[name]["parameters"])
    for each in found:
        assert_same_rows(each["rows"], alone[name]["rows"], but=PHYSICAL)


def test_the_parameters_moved(alone):
    for name, found in alone.items():
        first, last = found["rows"]
        assert (first["update"], last["update"]) == (0, UPDATES)
        with process_group(CPU, 20):
            start = {key: values.clone() for key, values in at_the_start(name).items()}
        assert max(float((start[key] - values).abs().max()) for key, values in found["parameters"].items()) > 1e-3


def at_the_start(name):
    return {key.removeprefix("module."): each.detach() for key, each in run_of(name).step.policy.named_parameters()}


def test_a_sharded_run_goes_on_without_shards_from_its_state(ranks):
    found = ranks[2][0]["resumed"]
    assert_same_rows(*found["rows"])
    assert_close(*found["parameters"])


def test_the_run_over_ranks_is_that_of_the_experiment(alone):
    """Another program: all seeds side by side, a backward pass written by hand."""
    program = SeedProgram([MnistConfig("dg-k", rate=0.2, **MNIST)], DATA, CPU)
    program.evaluate()
    for _ in range(UPDATES):
        program.update()
    program.evaluate()
    ours = alone["mnist at a rate"]
    assert_close(ours["parameters"], program.step.network.policy(0).state_dict())
    theirs = program.curves()[0].to_dict("records")
    assert_same_rows(
        [{key: row[key] for key in row if key != "rerun_samples"} for row in ours["rows"]],
        [{key: row[key] for key in row if key != "flops"} for row in theirs],
    )
