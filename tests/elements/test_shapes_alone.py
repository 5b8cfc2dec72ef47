"""Every row on the device ``shapes``: the same shapes and costs, from no memory."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.graph import elements_behind

from .cases import CASES, Case

# Scalars are values and nothing else.
every_case = pytest.mark.parametrize(
    "case", [case for case in CASES if "scalars" not in case.elements], ids=str
)


def shape_of(value: Any) -> Any:
    return None if value is None else (value.shape, value.dtype)


def costs(result: tg.Tensor) -> list[Any]:
    found = []
    for element in elements_behind(result.node):
        outputs = [out for ref in element.outputs if (out := ref()) is not None]
        if len(outputs) == len(element.outputs):
            found.append((element.name, element.cost(element.inputs, outputs)))
    return found


def run(case: Case, tensors: list[tg.Tensor]) -> tuple[Any, ...]:
    result = case.run(*tensors)
    described = shape_of(result), costs(result), tg.saved_bytes(result)
    result.backward(tg.ones(result.shape, dtype=result.dtype, device=result.device))
    return result, *described, [shape_of(tensor.grad) for tensor in tensors]


@pytest.mark.parametrize("mixed", [False, True], ids=["all", "first"])
@every_case
def test_shapes_types_costs_and_error_signals_are_those_of_values(case: Case, mixed: bool) -> None:
    arrays = case.draw()
    real = [tg.Tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
    shapes = [
        tensor if mixed and place else tensor.to("shapes") for place, tensor in enumerate(real)
    ]
    expected, found = run(case, real), run(case, shapes)
    assert found[0].device == "shapes"
    assert found[1:] == expected[1:]


def test_nothing_is_allocated() -> None:
    images = tg.zeros(256, 64, 224, 224, device="shapes", requires_grad=True)
    weight = tg.zeros(128, 64, 3, 3, device="shapes", requires_grad=True)

    def step() -> tuple[int, ...]:
        z = F.conv2d(images, weight, None, 1, 1)
        pooled = F.max_pool2d(F.relu(z) + 1.0, 2)
        rows = F.flatten(pooled.mean((2, 3)) * 2.0, 1)
        loss = F.cross_entropy(rows, tg.zeros(256, dtype=np.int64, device="shapes"))
        loss.backward()
        return pooled.shape

    step()
    images.grad = weight.grad = None
    tracemalloc.start()
    assert step() == (256, 128, 112, 112)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert images.grad is not None
    assert images.grad.shape == images.shape
    assert peak < 200_000
