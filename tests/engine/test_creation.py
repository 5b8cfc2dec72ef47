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


def test_tensors_are_made_of_one_number_or_after_another_tensor() -> None:
    assert tg.full((2, 3), 0.5).numpy().tolist() == [[0.5] * 3] * 2
    assert (tg.full((1,), 0.5).dtype, tg.full((1,), 2).dtype) == (np.float32, np.int64)
    assert tg.full(2, 3, dtype=tg.float64, requires_grad=True).requires_grad
    like = tg.zeros(2, dtype=tg.float64)
    assert (tg.ones_like(like).dtype, tg.ones_like(like).tolist()) == (np.float64, [1.0, 1.0])
    assert tg.zeros_like(like, dtype=tg.int64).dtype == np.int64


def test_even_numbers_lie_below_one() -> None:
    drawn = tg.rand(1000, generator=np.random.default_rng(3))
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min().item() < 0.01
    assert 0.99 < drawn.max().item() < 1
    assert abs(drawn.mean().item() - 0.5) < 0.05
    assert tg.rand(3, dtype=tg.float64).dtype == np.float64


def test_tensors_are_made_where_they_are_asked_for() -> None:
    on_shapes = {"device": "shapes"}
    for made in (
        tg.tensor([[1.0, 2.0]], **on_shapes),
        tg.randn(1, 2, **on_shapes),
        tg.rand(1, 2, **on_shapes),
        tg.full((1, 2), 3.0, **on_shapes),
        tg.zeros_like(tg.zeros(1, 2, **on_shapes)),
    ):
        assert (made.device, made.shape) == ("shapes", (1, 2))
    assert tg.arange(2, **on_shapes).device == "shapes"
