"""Break the chain rule: what a wrong gradient does to training, and how it is found.

A network with a wrong chain rule often learns all the same, only worse, and no curve says why. This
script trains with mistakes that people make, then finds each of them from numbers alone: once in
this engine, once in an element of one's own, once in the gradients of another program.

Run it: python demos/20_break_the_chain_rule.py [--pictures FOLDER]
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import explain
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS

parser = argparse.ArgumentParser()
parser.add_argument("--pictures", type=Path, help="write one training as a page here")
pictures = parser.parse_args().pictures

# -- mistakes, and what one sees of them ------------------------------------------------------
print("the same network, data and seed, with a mistake and without\n")
learned = []
for name in (
    "kernel_not_turned",
    "bias_gradient_averaged",
    "fan_in_overwritten",
    "mean_without_share",
    "weight_gradient_turned",
    "zero_grad_left_out",
    "loss_sign_turned",
):
    told = explain.train_with_fault(name)
    learned += [name] if told.learns else []
    print(f"  {name:24s} {told.wrong.accuracies[-1]:6.1%} of test images right")
print(f"  {'no mistake':24s} {told.right.accuracies[-1]:6.1%}")
print(f"\n{len(learned)} of 7 learn with a wrong gradient: a falling loss proves nothing.")
if told.right.accuracies[-1] < 0.9 or not {"kernel_not_turned", "fan_in_overwritten"} < {*learned}:
    raise SystemExit("the trainings are not what they were")
if "loss_sign_turned" in learned:
    raise SystemExit("walking uphill is not learning")
print("\none of them in full\n")
told = explain.train_with_fault("kernel_not_turned")
print(told)
if pictures is not None:
    pictures.mkdir(parents=True, exist_ok=True)
    page = pictures / f"{Path(__file__).stem}_kernel_not_turned.html"
    told.save(page)

# -- found from numbers alone ---------------------------------------------------------------------
rng = np.random.default_rng(0)
images = tg.Tensor(rng.normal(size=(4, 2, 8, 8)).astype(np.float32))
labels = np.array([0, 1, 2, 0])


def parameter(name: str, *shape: int) -> tg.Tensor:
    """Draw a parameter."""
    values = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return tg.Tensor(values.astype(np.float32), requires_grad=True, name=name)


w1, w2 = parameter("w1", 6, 2, 3, 3), parameter("w2", 6, 6, 3, 3)
w3, b3 = parameter("w3", 3, 54), parameter("b3", 3)


def program() -> Any:
    """Compute the loss of a small network with a shortcut."""
    hidden = F.max_pool2d(F.relu(F.conv2d(images, w1)), 2)
    hidden = hidden + F.tanh(F.conv2d(hidden, w2, padding=1))
    return F.cross_entropy(F.linear(hidden.reshape(4, -1), w3, b3), labels)


print("\nEach element is measured by itself, walking back; the first that fails is named.\n")
print(explain.diagnose(program))
for name in ("kernel_not_turned", "max_to_all_places", "fan_in_overwritten"):
    with explain.fault(name):
        found = explain.diagnose(program)
    print(f"\n{found}")
    if found.fault != name:
        raise SystemExit(f"{name} was called {found.fault}")

# -- in an element of one's own -------------------------------------------------------------------
Relu: Any = ELEMENTS["relu"]


class OwnRelu(Relu):
    """A rectifier as one writes it late at night."""

    def backward(self, signal: tg.Tensor) -> tg.Tensor:
        """Zero what is negative."""
        return F.relu(signal)


weight = parameter("weight", 5, 2, 3, 3)
found = explain.diagnose(
    lambda: (OwnRelu()(F.conv2d(images, weight)) * images[:, :1, 1:-1, 1:-1]).sum()
)
print(f"\nan element of one's own: {found.verdict}")
if found.fault != "relu_mask_of_signal":
    raise SystemExit("one's own mistake was not found")

# -- in another program: x.T @ delta instead of delta.T @ x ---------------------------------------
x, targets = rng.normal(size=(8, 5)), rng.normal(size=(8, 3))
v, bias = rng.normal(size=(3, 5)), rng.normal(size=3)
delta = 2 * (x @ v.T + bias - targets) / targets.size
own = {"v": (x.T @ delta).reshape(v.shape), "bias": delta.sum(0)}

ours_v = tg.Tensor(v, dtype="float64", requires_grad=True, name="v")
ours_bias = tg.Tensor(bias, dtype="float64", requires_grad=True, name="bias")
ours_x, wanted = tg.Tensor(x, dtype="float64"), tg.Tensor(targets, dtype="float64")
found = explain.diagnose(lambda: F.mse_loss(F.linear(ours_x, ours_v, ours_bias), wanted), own)
print(f"another program's gradients: {found.verdict}")
if found.fault != "weight_gradient_transposed":
    raise SystemExit("the other program's mistake was not found")

# -- how often is it right? -----------------------------------------------------------------------
rates = explain.hit_rate(1)
print(f"\n{rates.says}")
if rates.first < 0.9 or rates.false_alarms:
    raise SystemExit("the diagnosis is not as good as it was")
