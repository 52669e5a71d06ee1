"""The scripts of examples/ run as they stand, and say what the tutorials promise."""

import json
import runpy
import types
from pathlib import Path

import pypdf
import pytest
import torch

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def script(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def test_a_sweep_is_kept_and_printed(tmp_path, capfd):
    found = script("sweep")
    found["main"](tmp_path / "stall")
    out = capfd.readouterr().out
    assert f"{found['stall'](vocab_size=10, n_tokens=10, rate=0.1)['stalls_at']:.3f}" in out
    assert "Use: whole answers by |advantage|" in out
    before = (tmp_path / "stall" / "stall.parquet").stat().st_mtime_ns
    found["main"](tmp_path / "stall")
    assert (tmp_path / "stall" / "stall.parquet").stat().st_mtime_ns == before, "nothing is computed twice"


def test_figures_have_the_width_of_a_column(tmp_path, capsys):
    script("figure")["main"](tmp_path)
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in ("learning-time.pdf", "own.pdf")]
    for name in ("learning-time", "own"):
        (page,) = pypdf.PdfReader(tmp_path / f"{name}.pdf").pages
        assert float(page.mediabox.width) / 72 == pytest.approx(3.3, abs=0.02)


def test_claims_are_verified_and_the_page_is_written(tmp_path, capsys):
    main = script("verify")["main"]
    main.__globals__["CLAIMS"] = ("gate-law",)
    with pytest.raises(SystemExit) as end:
        main(tmp_path)
    assert end.value.code == 0
    (claim,) = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))["claims"]
    assert claim["id"] in capsys.readouterr().out
    assert claim["statement"][:20] in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_gate_learns_with_three_per_cent_of_the_backward_passes():
    namespace = script("loop")
    train, n_updates = namespace["train"], namespace["UPDATES"]
    error, backward = train(namespace["Gate"](rate=0.03))
    assert backward == 3 * n_updates
    assert error < 0.3
    assert train(None)[1] == n_updates * namespace["BATCH"]


@pytest.mark.filterwarnings("ignore")  # theirs
def test_a_model_of_hugging_face_learns_with_one_answer_in_eight():
    pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    namespace = script("grpo_hugging_face")
    n_answers = namespace["PROMPTS"] * namespace["GROUP"]
    start, end, step = namespace["train"](namespace["Gate"](rate=1 / 8), updates=80)
    assert end > 2.5 * start
    assert step.counts.backward_rows == 80 * n_answers / 8
    assert step.counts.forward_rows == 80 * n_answers
    assert step.counts.screened_positions == 0, "the log-probabilities of sampling are reused"
    assert step.counts.largest_gap < 1e-3
    *_, full = namespace["train"](None, updates=3)
    assert full.counts.backward_rows > 3 * n_answers / 8


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("full", [False, True])
def test_it_says_that_it_learns(full, capsys):
    pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    main = script("grpo_hugging_face")["main"]
    step = types.SimpleNamespace(counts=types.SimpleNamespace(backward_rows=8, forward_rows=64))
    main.__globals__["train"] = lambda gate: (0.1, 0.7 if gate else 0.5, step)
    main(full=full)
    said = ["it learns; 8 of 64 answers backpropagated", "it does not learn"][: 1 + full]
    lines = capsys.readouterr().out.splitlines()
    assert all(text in line for text, line in zip(said, lines, strict=True))


@pytest.mark.filterwarnings("ignore")  # theirs
def test_prompts_and_rewards_of_the_task():
    """Padded on the left, written backwards behind it; wrong, late and missing tokens earn nothing."""
    pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    namespace = script("grpo_hugging_face")
    torch.manual_seed(0)
    prompts, right = namespace["draw_prompts"](50)
    for prompt, answer in zip(prompts.tolist(), right.tolist(), strict=True):
        symbols = [token for token in prompt[:-1] if token != namespace["PAD"]]
        assert answer[: len(symbols) + 1] == [*symbols[::-1], namespace["END"]]
        assert prompt[-1] == namespace["GO"]
    tokens = torch.tensor([[0, 5, 2, 5, 1], [0, 5, 2, 6, 1], [0, 5, 2, 5, 5], [4, 5, 2, 5, 4]])
    mask = torch.ones(4, 5, dtype=torch.bool)
    answers = namespace["Answers"](tokens, mask, mask & (torch.arange(5) > 2))
    expected = torch.tensor([[5, 1, 0], [5, 1, 0], [5, 1, 0], [5, 4, 1]])
    assert namespace["reward_of"](answers, expected).tolist() == pytest.approx([1, 1 / 2, 1 / 2, 2 / 3])
