"""Your own kernel: register it, see it checked and measured beside ours, train a network on it.

A kernel is a function that takes arrays and fills the last one. This one computes the forward
pass of a convolution as a sum of *outer products*: a pixel of one input channel, times a row
of the filter bank, is added to all output channels of a pixel at once. Channels lie next to
each other in memory, so the innermost loop is one that the compiler turns into vectors.

Run it: python demos/21_your_own_kernel.py
"""

from typing import Any

import numba
import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import kernels, lab

SEED = 0
STEPS = 20
BATCH_SIZE = 32
LEARNING_RATE = 0.004


# -- the kernel: what the compiler sees, and what the registry does ----------------------
@numba.njit(parallel=True)
def sum_of_outer_products(x: Any, taps: Any, bias: Any, window: Any, out: Any) -> None:
    """out[n,i,j,:] = bias[:] + Σ_u,v,c x[n,r,q,c] · taps[u,v,c,:]."""
    images, rows, columns, _ = out.shape
    for task in numba.prange(images * rows):  # each task owns a row of the result
        n, i = task // rows, task % rows
        for j in range(columns):
            pixel = out[n, i, j]
            pixel[:] = bias
            for u in range(window.kh):
                for v in range(window.kw):
                    r = i * window.sh + u * window.dh - window.ph
                    q = j * window.sw + v * window.dw - window.pw
                    if 0 <= r < x.shape[1] and 0 <= q < x.shape[2]:
                        for c in range(x.shape[3]):
                            for o in range(pixel.size):
                                pixel[o] += x[n, r, q, c] * taps[u, v, c, o]


def outer_products(x: Any, weight: Any, bias: Any, window: Any, out: Any) -> None:
    """Put the output channels last, where the innermost loop wants them."""
    sum_of_outer_products(x, np.ascontiguousarray(weight.transpose(2, 3, 1, 0)), bias, window, out)


def no_groups(layer: Any, dtype: np.dtype[Any]) -> str:
    """Say why this kernel cannot serve a layer, or nothing: an empty text is a yes."""
    return "it knows no groups" if layer.window.groups > 1 else ""


# A rank above all others: it runs when it is asked for, and never by itself.
register = kernels.implements(
    "conv2d_forward", device="cpu", variant="outer_products", rank=99, supports=no_groups
)
register(outer_products)
print("conv2d_forward:", ", ".join(k.variant for k in kernels.variants("conv2d_forward")))


# -- the contract finds it, and a mistake in it ------------------------------------------
@kernels.implements(
    "conv2d_forward", device="cpu", variant="forgetful", rank=99, supports=no_groups
)
def forgetful(x: Any, weight: Any, bias: Any, window: Any, out: Any) -> None:
    """Do as above, and leave the last row to whatever stood in memory."""
    whole = np.empty_like(out)
    outer_products(x, weight, bias, window, whole)
    out[:, :-1] = whole[:, :-1]


for variant in ("forgetful", "outer_products"):
    print()
    report = lab.check_kernel("conv2d_forward", variant)
    print(report)
if not report.is_kept:
    raise SystemExit("the kernel breaks its contract")

# -- the benchmark finds it --------------------------------------------------------------
print("\nthe first layer of LeNet-5, 64 images")
layers = list(lab.conv_layers(["lenet5"]).items())[:1]
rows = lab.benchmark_conv(
    dict(layers), effort=lab.Effort(repeats=9), skip=("reference", "forgetful"), with_pytorch=False
)
for row in rows:
    if row.step == "conv2d_forward":
        times = f"{1e3 * row.seconds:8.3f} ms  {row.facts['gflops']:6.1f} GFLOP/s"
        print(f"{row.facts['variant']:15s} {times}")


# -- a network trains on it --------------------------------------------------------------
def losses(**chosen: str) -> list[float]:
    """Train LeNet-5 for some steps with the kernels that are named; return the losses."""
    tg.manual_seed(SEED)
    train, _ = tg.data.load("digits")
    model = tg.models.build("lenet5", activation="relu")
    optimiser = tg.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    found: list[float] = []
    with kernels.use(**chosen):
        for images, labels in tg.data.DataLoader(train, BATCH_SIZE, shuffle=True):
            loss = F.cross_entropy(model(tg.Tensor(images)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            found.append(loss.item())
            if len(found) == STEPS:
                break
    return found


ours, yours = losses(), losses(conv2d_forward="outer_products")
print("\nloss after     default  outer_products")
for step in (0, STEPS // 2, STEPS - 1):
    print(f"{step + 1:3d} steps   {ours[step]:10.5f}      {yours[step]:10.5f}")
if not np.allclose(ours, yours, rtol=0.02):
    raise SystemExit("the two networks learn different things")
print("the same up to rounding: other sums, the same mathematics")
