"""A single neuron: sigmoid ∘ affine, and the chain rule by hand next to the recorded one.

Run it: python demos/01_single_neuron.py
"""

import math

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

LEARNING_RATE = 2.0
STEPS = 50

# The composite function J = ½(y − a)², a = σ(z), z = w x + b, on plain numbers.
x = tg.Scalar(2.0, name="x")
y = tg.Scalar(1.0, name="y")
w = tg.Scalar(0.5, requires_grad=True, name="w")
b = tg.Scalar(-1.5, requires_grad=True, name="b")


def composite(w: tg.Scalar, b: tg.Scalar) -> tuple[tg.Scalar, tg.Scalar, tg.Scalar]:
    """Return (z, a, J)."""
    z = F.affine(x, w, b)
    a = F.sigmoid(z)
    return z, a, F.squared_error(a, y)


# -- forward and backward, recorded ----------------------------------------------------
with tg.explain.record():
    z, a, J = composite(w, b)
    z.retain_grad()  # intermediate error signals are kept on request
    a.retain_grad()
    J.backward()

print(tg.explain.story(J))

# -- the same by hand ------------------------------------------------------------------
# Each δ is the one after it times the derivative of the element in between.
a_value = 1.0 / (1.0 + math.exp(-(0.5 * 2.0 - 1.5)))
delta_a = -(1.0 - a_value)
delta_z = delta_a * a_value * (1.0 - a_value)
by_hand = {
    "δ(a) = -(y - a)": (delta_a, a.grad),
    "δ(z) = δ(a) a (1 - a)": (delta_z, z.grad),
    "∇w   = δ(z) x": (delta_z * 2.0, w.grad),
    "∇b   = δ(z)": (delta_z, b.grad),
}
print("\nby hand                  value      recorded")
for formula, (value, recorded) in by_hand.items():
    print(f"{formula:22s} {value:9.6f}  {recorded:9.6f}")
    if not math.isclose(value, float(recorded), rel_tol=1e-12):
        raise SystemExit(f"{formula}: by hand and recorded differ")

# -- learning: walk against the gradient -----------------------------------------------
print(f"\n{STEPS} steps of gradient descent, learning rate {LEARNING_RATE}")
for step in range(STEPS + 1):
    for parameter in (w, b):
        parameter.zero_grad()
    _, a, J = composite(w, b)
    J.backward()
    if step % 10 == 0:
        print(f"step {step:2d}: a = {a:.4f}, J = {J:.6f}, w = {w:.4f}, b = {b:.4f}")
    for parameter in (w, b):
        parameter.data -= LEARNING_RATE * parameter.grad
