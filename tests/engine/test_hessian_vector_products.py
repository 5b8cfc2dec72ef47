"""Second derivatives of every row, along random directions, against differences of gradients.

Each row becomes one number, ``Σ c ∘ y²`` with drawn c, so that the Hessian of a linear element
is not zero. Its gradient is moved along a direction v by twice a small step; the quotient is
``H v`` up to the square of the step.
"""

from typing import Any

import numpy as np
import pytest
from elements.cases import CASES, Case

import tinygrad_cnn as tg

STEP = 1e-5
SMOOTH = [case for case in CASES if case.twice and case.keeps_dtype]


def drawn(case: Case) -> tuple[list[Any], list[int], list[Any]]:
    """Return the inputs of a row, which of them are differentiated by, and a direction."""
    arrays = case.draw()
    places = [place for place, array in enumerate(arrays) if array.dtype.kind == "f"]
    generator = np.random.default_rng(6)
    vectors = [generator.normal(size=arrays[place].shape) for place in places]
    length = np.sqrt(sum(float((v * v).sum()) for v in vectors)) or 1.0
    return arrays, places, [v / length for v in vectors]


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_a_product_with_the_hessian_equals_differences_of_the_gradient(case: Case) -> None:
    arrays, places, vectors = drawn(case)

    def number(*values: tg.Tensor) -> tg.Tensor:
        given: list[Any] = [tg.Tensor(array) for array in arrays]
        for place, value in zip(places, values, strict=True):
            given[place] = value
        y = case.run(*given)
        factors = np.random.default_rng(7).normal(size=y.shape)
        return (y * y * tg.Tensor(factors)).sum()

    def gradients(step: float) -> list[Any]:
        moved = [
            tg.Tensor(arrays[place] + step * v, requires_grad=True)
            for place, v in zip(places, vectors, strict=True)
        ]
        return [gradient.numpy() for gradient in tg.grad(number(*moved), moved)]

    points = [tg.Tensor(arrays[place]) for place in places]
    _, products = tg.hessian_vector_product(number, points, [tg.Tensor(v) for v in vectors])
    for mine, far, near in zip(products, gradients(STEP), gradients(-STEP), strict=True):
        slope = (far - near) / (2 * STEP)
        np.testing.assert_allclose(
            mine.numpy(), slope, rtol=1e-6, atol=2e-8 * (1 + abs(slope).max(initial=0.0))
        )
