"""``lab.examine`` and ``tinygrad-cnn doctor``: what is found, and what is to be mended."""

from pathlib import Path

import pytest

from tinygrad_cnn import lab
from tinygrad_cnn.cli import main
from tinygrad_cnn.kernels import cache
from tinygrad_cnn.lab import doctor
from tinygrad_cnn.lab.contract import Promise


def of(findings: list[lab.Finding], what: str) -> lab.Finding:
    (found,) = (finding for finding in findings if finding.what == what)
    return found


def test_versions_threads_cache_and_a_trial_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    findings = lab.examine(told.append)
    assert told == list(dict.fromkeys(finding.about for finding in findings))
    assert of(findings, "Python").value.startswith("3.")
    assert of(findings, "threading layer").value in ("omp", "tbb", "workqueue")
    trial = of(findings, "conv2d_forward")
    assert (trial.about, trial.remedy) == ("trial", "")
    assert "as the plain loops compute it" in trial.value


def test_the_command_shows_them_in_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = lab.Finding("versions", "Python", "3.11")
    monkeypatch.setattr(lab, "examine", lambda progress: [fine])
    assert main(["doctor"]) == 0
    assert "nothing to mend" in capsys.readouterr().out
    bad = lab.Finding("threads", "of the kernels", "1 of 2", "use them all")
    monkeypatch.setattr(lab, "examine", lambda progress: [fine, bad])
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "→ use them all" in shown
    assert "1 to mend" in shown


def test_folders_that_do_not_serve_are_to_be_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TINYGRAD_CNN_DATA", str(tmp_path / "gone"))
    assert "does not exist" in of([lab.Finding("", *f) for f in doctor._data()], "it holds").remedy
    monkeypatch.setattr(cache, "cache_folder", lambda: None)
    (kept,) = doctor._cache()
    assert "no folder can be written" in kept[1]


def test_a_kernel_that_computes_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = lab.ContractReport("conv2d_forward", "direct", (
        Promise("what the plain loops compute", 3, "differs by 0.1"),
    ))  # fmt: skip
    monkeypatch.setattr("tinygrad_cnn.lab.contract.check_kernel", lambda *_: broken)
    assert all(what == "differs by 0.1" and remedy for _, what, remedy in doctor._trial())
