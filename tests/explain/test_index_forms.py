"""Index forms are true: each is evaluated everywhere and compared with the kernels."""

import functools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.explain.derivation import FORMS
from tinygrad_cnn.explain.derivation.forms import WITHOUT_FORM

from .derivation_cases import ROWS, Row, run


def _is_adjoint(name: str) -> bool:
    """Tell whether an element is part of a walk back, which a derivation goes over itself."""
    return "_grad" in name or name.endswith("_gather") or name == "channel_sum"


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_form_says_what_the_kernels_compute(row: Row) -> None:
    loss, tensors = run(row)
    for tensor in tensors:
        derivation = tg.explain.derive(loss, tensor.name, forward=True)
        labels = {line.label for line in derivation.lines if line.right is not None}
        assert labels >= set(row.elements)
        assert derivation.check().disagreements() == []
        checked = [check for check in derivation.checks if check is not None]
        assert all(check.checked == check.places for check in checked)
        assert sum(check.places for check in checked) >= tensor.numel()


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_line_runs_as_python(row: Row) -> None:
    """What is printed is no picture of what is checked: the text itself is run."""
    loss, tensors = run(row)
    derivation = tg.explain.derive(loss, tensors[0].name, forward=True)
    names = derivation.namespace()
    exec(derivation.python(), names)
    generator = np.random.default_rng(3)
    for number, (line, check) in enumerate(
        zip(derivation.lines, derivation.checks, strict=True), 1
    ):
        if check is None:
            continue
        for _ in range(4):
            index = tuple(int(generator.integers(size)) for size in line.left.data.shape)
            said = names[f"line_{number}"](*index)
            assert abs(said - line.left.data[index]) <= check.allowed


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_form_holds_at_one_place(row: Row) -> None:
    loss, tensors = run(row, seed=1)
    for tensor in tensors:
        index = tuple(size // 2 for size in tensor.shape)
        derivation = tg.explain.derive(loss, tensor.name, index, numbers=True, complete=True)
        derivation.check()
        last = derivation.lines[-1]
        assert last.index == index
        assert last.result() == tensor.grad.numpy()[index]
        for text in (derivation.text(), derivation.markdown(), derivation.latex()):
            assert "Expression" not in text
        for line in derivation.latex().splitlines():
            assert len(re.findall(r"\\left[(|]", line)) == len(re.findall(r"\\right[)|]", line))
            assert line.count("{") == line.count("}")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_convolutions_of_any_geometry(data: st.DataObject) -> None:
    """Stride, padding on four sides, dilation, groups and flip, in any combination."""

    def draw(least: int, most: int) -> int:
        return data.draw(st.integers(least, most))

    groups = draw(1, 3)
    kernel, dilation = (draw(1, 3), draw(1, 3)), (draw(1, 2), draw(1, 2))
    padding = ((draw(0, 2), draw(0, 2)), (draw(0, 2), draw(0, 2)))
    size = [d * (k - 1) + 1 + draw(0, 3) for d, k in zip(dilation, kernel, strict=True)]
    row = Row(
        ("conv2d",),
        ((draw(1, 2), groups * draw(1, 2), *size), (groups * draw(1, 2), 0, *kernel)),
        functools.partial(
            tg.functional.conv2d,
            stride=(draw(1, 3), draw(1, 3)),
            padding=padding,
            dilation=dilation,
            groups=groups,
            flip=data.draw(st.booleans()),
        ),
    )
    images, filters = row.shapes
    row = row._replace(shapes=(images, (filters[0], images[1] // groups, *kernel)))
    loss, tensors = run(row, seed=draw(0, 99))
    for tensor in tensors:
        tg.explain.derive(loss, tensor.name, forward=True).check()


def test_a_key_that_picks_nothing_sends_nothing_back() -> None:
    loss, _ = run(Row(("index",), ((2, 3),), lambda x: x[np.zeros((2, 3), bool)]))
    derivation = tg.explain.derive(loss, "a", (1, 2), numbers=True).check()
    assert derivation.lines[-1].result() == 0.0
    assert "∂L/∂a[1,2] = 0" in derivation.text()


def test_every_element_has_a_form_or_a_reason_to_have_none() -> None:
    public = {name for name in ELEMENTS if not _is_adjoint(name)}
    assert public - FORMS.keys() == WITHOUT_FORM.keys()


def test_every_form_has_a_row() -> None:
    shown = {name for row in ROWS.values() for name in row.elements}
    assert FORMS.keys() == shown


def test_rows_are_checked_with_numbers_that_tell() -> None:
    """A form that is wrong by one index is noticed."""
    loss, _ = run(ROWS["conv2d padding"])
    derivation = tg.explain.derive(loss, "b")
    line = derivation.lines[-1]
    assert line.check().agrees
    changed: Any = np.roll(line.left.data, 1, axis=2)
    object.__setattr__(line.left, "data", changed)
    assert not line.check().agrees
