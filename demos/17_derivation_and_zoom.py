"""The chain rule of a run, written out: from the lecture's example to one weight of LeNet-5.

A derivation is read from what was recorded, and each of its lines is a formula that is evaluated
and compared with what the kernels computed. Zoom goes the other way: it takes one number apart
into scalars, and lets the same engine differentiate those.

Run it: python demos/17_derivation_and_zoom.py
"""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import kernels


def show(lines: list[str]) -> None:
    """Print lines with an indent."""
    print("\n".join(f"  {line}" for line in lines))


# -- the example of the lectures: five inputs, a filter of three weights ----------------------
x = tg.Tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]], requires_grad=True, name="x")
w = tg.Tensor([[[0.5, 0.0, -1.0]]], requires_grad=True, name="w")
with tg.explain.record(keep="arrays"):
    loss = F.squared_error(F.conv1d(x, w), [[[1.0, 0.0, 2.0]]])
    loss.backward()
print("y = w ⋆ x, five inputs and three weights\n")
for of, count in (("w", 3), ("x", 5)):
    for k in range(1, count + 1):
        derivation = tg.explain.derive(loss, of, k, base=1, numbers=True).check()
        lines = [line.strip() for line in derivation.text().splitlines()]
        first = max(k for k, line in enumerate(lines) if line.startswith(f"∂L/∂{of}"))
        formula, numbers, result = lines[first : first + 3]
        print(f"  {formula:34s} {numbers:38s} {result}")

# -- one weight of LeNet-5 --------------------------------------------------------------------
tg.manual_seed(0)
network = tg.models.build("lenet5")
test = tg.data.load("digits").test


def run() -> tg.Tensor:
    """Classify two digits, and walk back from the loss."""
    network.zero_grad()
    with tg.explain.record(keep="arrays"):
        loss = F.cross_entropy(network(tg.Tensor(test.images[:2])), test.labels[:2])
        loss.backward()
    return loss


loss = run()
place = (2, 0, 1, 1)
derivation = tg.explain.derive(loss, "C3.weight", place, numbers=True)
print(f"\nLeNet-5: how the loss reaches C3.weight{list(place)}, largest terms first\n")
show(derivation.text().splitlines()[2:])
if derivation.disagreements() or derivation.lines[-1].index != place:
    raise SystemExit("the derivation and the kernels disagree")
largest = network.C3.weight.grad.numpy()[place]
if derivation.lines[-1].result() != largest:
    raise SystemExit("the derivation ends at another number than .grad")

# -- the text is a program ---------------------------------------------------------------------
names = derivation.namespace()
exec(derivation.python(), names)
last = sum(line.index is None for line in derivation.lines)
said = names[f"line_{last}"](*place)
print("\nits last line as Python, run number by number\n")
code = derivation.python().split("\n\n")[-1].strip()
show(code.replace(" for n", "\n               for n").splitlines())
print(f"\n  line_{last}{place} = {said:.9g}, backward() computed {largest:.9g}")
if abs(said - largest) > 1e-6 * abs(largest) + 1e-9:
    raise SystemExit("the printed line computes another number")

# -- a wrong kernel is found where it ran ------------------------------------------------------
right = kernels.lookup("conv2d_grad_input").function


@kernels.implements("conv2d_grad_input", device="cpu", variant="unturned", rank=99)
def unturned(grad: Any, weight: Any, window: Any, out: Any) -> None:
    """Forget that the filter is turned by 180 degrees on the way back."""
    right(grad, np.ascontiguousarray(weight[:, :, ::-1, ::-1]), window, out)


with kernels.use(conv2d_grad_input="unturned"):
    wrong = tg.explain.derive(run(), "C1.weight")
print("\nwith a kernel that forgets to turn the filter on the way back\n")
for line, check in wrong.disagreements():
    print(f"  {line.label}: {line.left.name}{list(check.index)}")
    print(f"  is {check.said:.6g} by the chain rule, and the kernel computed {check.computed:.6g}")
    print(f"  where rounding explains {check.allowed:.1g}")
if [line.left.name for line, _ in wrong.disagreements()] != ["δ(S2)"]:
    raise SystemExit("the wrong kernel was not found where it ran")

# -- zoom: the same weight as a graph of scalars -----------------------------------------------
zoomed = tg.explain.zoom(loss, "C3.weight", place).check()
print("\nzoom into that gradient: scalars of the same engine\n")
show(zoomed.text().splitlines()[:9])
show(["…", zoomed.text().splitlines()[-1]])

# -- and what it was made for: one output of C3, its neighbours, and back to the first layer ---
zoomed = tg.explain.zoom(loss, "C3", (0, 2, 4, 5)).check()
print("\nzoom into one of the outputs of C3, which that weight helped to make\n")
show(zoomed.text().splitlines()[:9])
weight, pixel = (next(p for p in zoomed.partials if p.name.startswith(n)) for n in ("C3", "S2"))
if weight.scalar != pixel.value or pixel.scalar != weight.value:
    raise SystemExit("of a product, the derivative by one factor is the other")
back = tg.explain.zoom(loss, "δ(S2)", (0, 0, 5, 6)).check()
print("\nback: the error signal of a pixel below adds up what all filters that saw it send\n")
show(back.text().splitlines()[:9])
if not np.isclose(back.scalar, back.recorded, rtol=1e-4):
    raise SystemExit("the error signal differs")
print(f"\n  {len(back.partials)} derivatives, the same by scalars and by tensors")
