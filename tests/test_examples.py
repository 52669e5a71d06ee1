"""The scripts of examples/ run as they stand, and say what the tutorials promise."""

import json
import runpy
from pathlib import Path

import pypdf
import pytest

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
