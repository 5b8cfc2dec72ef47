"""The check that gives verdicts finds every element's rule right."""

from typing import Any

import pytest

import tinygrad_cnn as tg

from .cases import FAMILIES, Case

# Each tenth row of each family; gradcheck looks at all of them, at every element.
SOME = [case for family in FAMILIES for case in family.CASES[::10]]


@pytest.mark.parametrize("case", SOME, ids=str)
def test_the_rule_is_called_right(case: Case) -> None:
    inputs: list[Any] = [
        tg.Tensor(array, requires_grad=array.dtype.kind == "f") for array in case.draw()
    ]
    if not any(each.requires_grad for each in inputs) or not case.keeps_dtype:
        pytest.skip("no input has a gradient in double precision")
    report = tg.explain.explain_gradcheck(case.run, *inputs, limit=3)
    assert report.verdict == "right", str(report)


def test_a_tensor_of_one_number_is_checked_as_such() -> None:
    number = tg.Tensor(0.7, dtype="float64", requires_grad=True)
    report = tg.explain.explain_gradcheck(tg.functional.softplus, number)
    assert report.inputs[0].counts == {"right": 1}
