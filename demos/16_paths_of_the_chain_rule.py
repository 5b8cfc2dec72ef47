"""Paths of the chain rule: why a topological order, how many paths, which of them carry δ.

A value that is read twice has two paths to the loss, and n such values in a row have 2ⁿ. This
script counts them, walks them in the wrong order, and asks of a residual and of a dense network
by which of its paths the error signal came.

Run it: python demos/16_paths_of_the_chain_rule.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.models.densenet import DenseNet

# -- one value that is read twice -----------------------------------------------------------
x = tg.Scalar(1.0, requires_grad=True, name="x")
h = tg.name(x * 2.0, "h")
comparison = tg.explain.compare_orders(h + h * h)
print("y = h + h·h with h = 2x, at x = 1: dy/dx = 2 + 8x = 10\n")
print(comparison)
right, reached, sums, each = (float(signal) for signal in comparison.rows[0].signals)
if not right == each == 10.0 or reached >= right or sums <= right:
    raise SystemExit("the naive walks leave other numbers than they did")

# -- thirty of them -------------------------------------------------------------------------
y = x
for _ in range(30):
    y = y + y
counts = tg.explain.count_paths(y)
print("\ny = y + y, thirty times\n")
print(counts)
print(tg.explain.compare_orders(y).rows[0].cells()[2], "by recursion; the walk itself:")
y.backward()
print(f"  ∂y/∂x = {x.grad.item():,.0f}, in 30 steps")
if counts["x"] != x.grad.item() or counts["x"] != 2**30:
    raise SystemExit("with sums alone the derivative is the number of paths")

# -- a residual network: shortcut or branch? ----------------------------------------------------
tg.manual_seed(0)
test = tg.data.load("digits").test
images = tg.Tensor(np.repeat(test.images[:8, :, ::2, ::2], 3, axis=1))
labels = test.labels[:8]
network = tg.models.build("resnet56", width=0.5)
with tg.explain.record():
    loss = F.cross_entropy(network(images), labels)
    loss.backward(retain_graph=True)
report = tg.explain.fan_ins(loss)
print("\nResNet-56, half as wide: how much of δ came by the shortcut, block by block from the loss")
print("  δ of                 by the shortcut  cancellation   (every fifth block)")
for row in report.rows[::5]:
    found = row.fan_in
    print(f"  {row.value:20s} {found.norm_shares[0]:14.0%} {found.cancellation:13.2f}")
if len(report.rows) != 27:
    raise SystemExit("a net of 27 blocks has 27 fan-ins")

# -- and through how many branches? ---------------------------------------------------------------
(split,) = tg.explain.split_by_length(loss, network.conv1.weight).splits
print(f"\n{split}")
gradient = network.conv1.weight.grad.numpy()
apart = np.abs(split.total - gradient).max() / np.abs(gradient).max()
print(f"\nthe parts add up to what backward() left, but for {apart:.0e} of the largest element")
if sum(split.paths) != 2**27 or apart > 1e-4:
    raise SystemExit("the parts do not add up")
lengths = sum(k * count for k, count in enumerate(split.paths)) / 2**27
if split.mean_length >= lengths:
    raise SystemExit("short paths do not carry more than their number would suggest")
print("Most paths pass 13 or 14 branches; here, untrained, most of δ comes by shorter ones, as")
print("Veit et al. (2016) found for trained networks.")

# -- a dense network: who uses which layer? ------------------------------------------------------
tg.manual_seed(0)
dense = DenseNet(10, (6, 6, 6), growth=12, first=16, stem="cifar")
first, *_ = tg.explain.contribution_matrices(F.cross_entropy(dense(images), labels))
print("\nDenseNet, first block of six layers: who sent δ to whom\n")
print(first)
if len(first.sources) != 7 or np.tril(first.norms, -1).any() or not first.norms[0].all():
    raise SystemExit("each layer of a dense block hears from all behind it, and from no other")
