"""The cases of the benchmark of token reversal run, and each promise names two of them."""

from simulations.benchmark import reversal as benchmark
from simulations.benchmark.cases import BenchmarkRow


def test_the_cases_of_the_bench_command_run_and_have_their_promises():
    rows = []
    for case in benchmark.cases(quick=True):
        for name, (units, call) in case.variants.items():
            call()
            rows.append(BenchmarkRow(case.name, name, case.unit, 10.0 * (len(rows) + 1), units, 1.0, 0))
    assert [row.variant for row in rows[:2]] == ["PG", "DG"]
    places = {(row.case, row.variant): row.microseconds for row in rows}
    promises = benchmark.targets(rows)
    assert promises[:4] == [
        ("token reversal, an update: row gate(3 %) / PG", 4.0, "≤ 0.55"),
        ("token reversal, training alone: row gate(3 %) / PG", 12 / 9, "≤ 0.2"),
        ("token reversal, sampling: cache, prompts read once / no cache", 16 / 19, "not promised"),
        (
            "token reversal, sampling: a program of one seed, beginnings read with the prompts"
            " / cache, prompts read once",
            18 / 16,
            "≤ 0.6",
        ),
    ]
    assert len(places) == 8 + 7 + 4 + 3 * 8, "PPO trains four times on a batch: its part is no update"
    assert promises[4] == ("token reversal, five seeds, PG: one by one / side by side", 21 / 20, "≥ 1.5")
    assert [required for _, _, required in promises[4:]].count("≥ 1.5") == 2
    alone = "token reversal, five seeds, row gate(3 %): one seed in a program of its own"
    assert promises[-2:] == [
        (f"{alone}, ms", 0.31, "≤ 10 on an idle core"),
        (f"{alone} / one by one", 31 / 30, "≤ 0.67"),
    ]
