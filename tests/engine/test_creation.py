"""Tensors made of sizes, random numbers and ranges."""

import numpy as np

import tinygrad_cnn as tg


def test_tensors_are_made_of_sizes() -> None:
    assert tg.zeros(2, 3).shape == tg.ones((2, 3)).shape == tg.randn([2, 3]).shape == (2, 3)
    assert tg.zeros().shape == ()
    assert tg.zeros(1, dtype=None).dtype == np.float32
    for made in (tg.zeros(2), tg.ones(2), tg.randn(2), tg.arange(0.0, 1.0, 0.5)):
        assert (made.dtype, made.requires_grad) == (np.float32, False)
    assert tg.zeros(2, dtype=tg.float64, requires_grad=True).requires_grad
    assert tg.ones(2, dtype=tg.int64).tolist() == [1, 1]
    assert tg.arange(2, 8, 3).tolist() == [2, 5]
    assert tg.arange(3).dtype == np.int64
    assert tg.arange(3, dtype=tg.float32).dtype == np.float32
    assert tg.arange(3, 0).shape == (0,)
    assert tg.tensor([1, 2], tg.float32, requires_grad=True).requires_grad
    assert tg.cat([tg.ones(1), tg.zeros(2)]).tolist() == [1.0, 0.0, 0.0]


def test_random_tensors_come_from_the_generator_that_is_named() -> None:
    draws = [tg.randn(4, generator=np.random.default_rng(3)).tolist() for _ in range(2)]
    assert draws[0] == draws[1]
    tg.manual_seed(5)
    first = tg.randn(4, dtype=tg.float64, requires_grad=True)
    tg.manual_seed(5)
    assert first.tolist() == tg.randn(4, dtype=tg.float64).tolist()
    assert (first.dtype, first.requires_grad) == (np.float64, True)
