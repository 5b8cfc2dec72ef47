"""One-dimensional convolution by hand: all eight derivatives of a filter of three weights.

y_n = w1 x_n + w2 x_(n+1) + w3 x_(n+2), for x of length 5 and w of length 3: three outputs.

Run it: python demos/03_convolution_by_hand.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

# Distinct numbers, so that a wrong term cannot hide. A signal is an image of one row.
x = tg.Tensor(np.array([2.0, -1.0, 3.0, 0.5, 4.0]), requires_grad=True, name="x")
w = tg.Tensor(np.array([0.25, -2.0, 1.5]), requires_grad=True, name="w")
delta = np.array([0.7, -0.3, 1.1])  # the error signals δ1, δ2, δ3 of the three outputs

with tg.explain.record():
    y = F.conv2d(x.reshape(1, 1, 1, 5), w.reshape(1, 1, 1, 3)).reshape(3)
    y.backward(gradient=tg.Tensor(delta))
print(tg.explain.story(y))

# -- forward -----------------------------------------------------------------------------
X, W = x.numpy(), w.numpy()
print("\nforward")
for n in range(3):
    by_hand = sum(W[i] * X[n + i] for i in range(3))
    print(f"  y{n + 1} = w1·x{n + 1} + w2·x{n + 2} + w3·x{n + 3} = {by_hand:g}  recorded {y[n]:g}")


def check(name: str, terms: list[tuple[str, float]], recorded: float) -> None:
    """Print one formula, and stop where it does not give the recorded value."""
    value = sum(term for _, term in terms)
    formula = " + ".join(text for text, _ in terms)
    print(f"  ∂L/∂{name} = {formula:27s} = {value:7.4f}   recorded {recorded:7.4f}")
    if not np.isclose(value, recorded, rtol=1e-12):
        raise SystemExit(f"∂L/∂{name}: by hand and recorded differ")


# -- gradient of the filter: a *valid* correlation of x with δ ------------------------------
print("\ngradient of the weights: slide δ over x")
for i in range(3):
    terms = [(f"δ{n + 1}·x{n + i + 1}", delta[n] * X[n + i]) for n in range(3)]
    check(f"w{i + 1}", terms, w.grad.numpy()[i])

# -- error signal of the input: a *full* convolution of δ with the flipped filter -----------
print("\nerror signal of the input: each x reaches the outputs it was seen by")
for k in range(5):
    seen_by = [n for n in range(3) if 0 <= k - n < 3]
    terms = [(f"δ{n + 1}·w{k - n + 1}", delta[n] * W[k - n]) for n in seen_by]
    check(f"x{k + 1}", terms, x.grad.numpy()[k])

# -- the same two as library calls -----------------------------------------------------------
print("\nthe same in one call each")
print("  valid correlation of x with δ:   ", np.correlate(X, delta, mode="valid"))
print("  full convolution of δ with w:    ", np.convolve(delta, W, mode="full"))
if not np.allclose(np.correlate(X, delta, mode="valid"), w.grad.numpy()):
    raise SystemExit("the valid correlation differs from the recorded gradient")
if not np.allclose(np.convolve(delta, W, mode="full"), x.grad.numpy()):
    raise SystemExit("the full convolution differs from the recorded error signal")
