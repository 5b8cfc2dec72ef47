"""Affine maps, their adjoints, and stacks of matrix products."""

from collections.abc import Iterator
from typing import Any

from .case import Case

# N, D, E
AFFINE = ((3, 5, 7), (1, 40, 33), (5, 170, 130), (17, 1, 1), (9, 70, 20), (64, 84, 64), (0, 3, 4))
# S, M, K, N
MATMUL = ((1, 3, 5, 7), (3, 9, 20, 40), (2, 1, 1, 1), (1, 64, 70, 64), (0, 2, 3, 4), (2, 0, 3, 4))


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, d, e in AFFINE:
        label = f"N{n} D{d} E{e}"
        x, weight, bias, grad = values(n, d), values(e, d), values(e), values(n, e)
        y = ((grad.shape, dtype),)
        yield Case("affine_forward", label, (x, weight, bias), y, terms=d)
        yield Case("affine_relu_forward", label, (x, weight, bias), y, terms=d)
        dx, dw = ((x.shape, dtype),), ((weight.shape, dtype),)
        yield Case("affine_grad_input", label, (grad, weight), dx, terms=e)
        yield Case("affine_grad_weight", label, (grad, x), dw, terms=n)
    for s, m, k, n in MATMUL:
        arguments = (values(s, m, k), values(s, k, n))
        results = (((s, m, n), dtype),)
        yield Case("matmul", f"{s}x{m}x{k}x{n}", arguments, results, terms=k)
