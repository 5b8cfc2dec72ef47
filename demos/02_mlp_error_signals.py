"""A multilayer perceptron 256-100-26: how error signals travel back through its layers.

Run it: python demos/02_mlp_error_signals.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

SIZES = (256, 100, 26)  # a 16x16 letter in, one output for each letter of the alphabet
BATCH = 8
DEPTH = 10  # layers of the deep networks at the end

generator = tg.manual_seed(0)
hidden, output = nn.Linear(*SIZES[:2]), nn.Linear(*SIZES[1:])
W1, b1, W2, b2 = hidden.weight, hidden.bias, output.weight, output.bias

print("parameters of 256-100-26")
for label, parameter in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2)):
    tg.name(parameter, label)
    print(f"  {label}  {'x'.join(map(str, parameter.shape)):8s} {parameter.numel():6,d}")

# -- one batch, forward and backward -----------------------------------------------------
x = tg.Tensor(generator.normal(size=(BATCH, SIZES[0])), dtype=np.float32)
y = tg.Tensor(np.eye(SIZES[2], dtype=np.float32)[generator.integers(SIZES[2], size=BATCH)])
with tg.explain.record():
    z1 = hidden(x).retain_grad()
    a1 = F.sigmoid(z1).retain_grad()
    z2 = output(a1).retain_grad()
    a2 = F.sigmoid(z2).retain_grad()
    J = F.squared_error(a2, y)  # ½‖y − a‖², summed over the examples of the batch
    J.backward()
print("\n" + tg.explain.story(J))

# -- the four steps of backpropagation, in NumPy -----------------------------------------
X, Y, A1, A2 = (v.numpy().astype(np.float64) for v in (x, y, a1, a2))
delta_a2 = -(Y - A2)  # start from ∂J/∂(last element)
delta_z2 = delta_a2 * A2 * (1 - A2)  # ... through the sigmoid
delta_a1 = delta_z2 @ W2.numpy()  # ... through the affine element: Wᵀ δ
delta_z1 = delta_a1 * A1 * (1 - A1)
by_hand = {
    "δ(a2) = -(y - a2)": (delta_a2, a2),
    "δ(z2) = δ(a2) ∘ a2 ∘ (1 - a2)": (delta_z2, z2),
    "δ(a1) = W2ᵀ δ(z2)": (delta_a1, a1),
    "δ(z1) = δ(a1) ∘ a1 ∘ (1 - a1)": (delta_z1, z1),
    "∇W2 = Σ δ(z2) a1ᵀ": (delta_z2.T @ A1, W2),  # summed over the examples
    "∇b2 = Σ δ(z2)": (delta_z2.sum(0), b2),
    "∇W1 = Σ δ(z1) xᵀ": (delta_z1.T @ X, W1),
    "∇b1 = Σ δ(z1)": (delta_z1.sum(0), b1),
}
print("\nby hand                          ‖by hand‖  ‖recorded‖  largest difference")
for formula, (value, variable) in by_hand.items():
    recorded = variable.grad.numpy()
    difference = np.abs(value - recorded).max()
    print(
        f"{formula:31s} {np.linalg.norm(value):10.6f}  {np.linalg.norm(recorded):10.6f}"
        f"  {difference:.1e}"
    )
    if difference > 1e-5 * np.abs(value).max():
        raise SystemExit(f"{formula}: by hand and recorded differ")

# -- what depth does to the signal -------------------------------------------------------
print(f"\n‖δ(z)‖ by layer in networks of {DEPTH} layers of 100 units")
for squash in (F.sigmoid, F.relu):
    layers = [nn.Linear(100, 100) for _ in range(DEPTH)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight)
    value, before_squashing = tg.Tensor(generator.normal(size=(BATCH, 100)), dtype=np.float32), []
    for layer in layers:
        before_squashing.append(layer(value).retain_grad())
        value = squash(before_squashing[-1])
    value.sum().backward()
    norms = [np.linalg.norm(z.grad.numpy()) for z in before_squashing]
    print(f"  {squash.__name__:8s}" + "".join(f"{norm:9.1e}" for norm in norms))
print("The derivative of the sigmoid is at most 1/4: each layer takes a part of the signal away.")
