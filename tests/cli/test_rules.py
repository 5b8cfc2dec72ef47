"""``tinygrad-cnn rules``."""

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.cli import main


@pytest.mark.parametrize("form", ["text", "latex"])
def test_every_rule_is_listed(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--form", form]) == 0
    assert capsys.readouterr().out == tg.explain.rules(form) + "\n"


def test_an_unknown_form_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--form", "html"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
