"""Stepping through a backward pass: pause, look, change an error signal, go back, replay.

The walk backward visits the elements that a loss was computed by, the last one first, and sends
error signals from each to its inputs. The stepper makes the same walk one element at a time. So
one can see δ arrive at a fan-in in parts, ask "what if this δ were different?", and watch how far
the answer reaches.

Run it: python demos/19_step_through_backward.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

# -- a value that is read twice -----------------------------------------------------------
x = tg.Scalar(1.0, requires_grad=True, name="x")
with tg.explain.record():
    h = tg.name(x * 2.0, "h")
    y = h + h * h
print("y = h + h·h with h = 2x, at x = 1: dy/dx = (1 + 2h) · 2 = 10\n")
with tg.explain.step(y) as stepper:
    print(stepper.look())  # before the last element, where δ(y) = 1 waits
    print("\nOne element on, h has heard from one of its three readers:")
    (waiting,) = stepper.next().waiting()
    print(f"  {waiting}")
    stepper.next()
    print(f"and after h·h from all of them: δ(h) = {stepper.signal()}. At the end:")
    stepper.run()
    print(f"  ∂y/∂x = {x.grad.item():g}, as backward() leaves it")
if waiting.arrived != 1 or x.grad.item() != 10.0:
    raise SystemExit("δ(h) is 1 + 2h = 5, and ∂y/∂x twice that")


# -- a residual network ---------------------------------------------------------------------
class Block(nn.Module):
    """y = relu(x + conv(x))."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):  # noqa: D102
        return (x + self.conv(x)).relu()


tg.manual_seed(0)
train = tg.data.load("digits").train
images, labels = tg.Tensor(train.images[:16, :, ::4, ::4]), train.labels[:16]
stem, blocks = nn.Conv2d(1, 6, 3, padding=1), [Block(6) for _ in range(3)]
network = nn.Sequential(stem, *blocks, nn.Flatten(), nn.Linear(6 * 8 * 8, 10))


def loss_of_a_batch():
    network.zero_grad()
    with tg.explain.record():
        return F.cross_entropy(network(images), labels)


loss_of_a_batch().backward()
backward = [p.grad.numpy().tobytes() for p in network.parameters()]

print("\nThree residual blocks: there, half the way back, and on again")
stepper = tg.explain.step(loss_of_a_batch()).run()
stepper.back(len(stepper) // 2).replay().run()
stepped = [p.grad.numpy().tobytes() for p in network.parameters()]
print(f"  {len(stepper)} elements, {len(stepped)} gradients: the bits of backward()")
if stepped != backward:
    raise SystemExit("stepping leaves other gradients than backward()")

# -- what if δ could not pass the branch? ---------------------------------------------------
print("\nWhat if δ did not pass the convolution of the middle block? Pause there, and zero it:")
stepper.to("2.conv").zero()
print(stepper.look())
stepper.run()
comparison = stepper.compare()
print(f"\n{comparison}")
same = {row.name for row in comparison.gradients if row.same}
dead = {row.name for row in comparison.gradients if not row.after}
print("\nBehind it nothing changed; its own weights got nothing; and by the shortcut the stem and")
print("the first block still hear from the loss. That is what a shortcut is for.")
if dead != {"2.conv.weight", "2.conv.bias"} or "3.conv.weight" not in same or "0.weight" in same:
    raise SystemExit("δ took another way than the shortcut")

# -- one NaN ----------------------------------------------------------------------------------
print("\nOne NaN in one entry of δ, before the same convolution:")
stepper.undo().to("2.conv").set((0, 0, 4, 4), float("nan")).run()
bad = [name for name, p in network.named_parameters() if np.isnan(p.grad.numpy()).any()]
share = np.isnan(network[2].conv.weight.grad.numpy()).mean()
print(f"  NaN in the gradients of {', '.join(bad)};")
print(f"  of the convolution's own weights in {share:.0%}: those of the map it was put in")
stepper.undo()
after = [p.grad.numpy().tobytes() for p in network.parameters()]
print(f"  and without the edit again the bits of backward(): {after == backward}")
if "3.conv.weight" in bad or "0.weight" not in bad or after != backward:
    raise SystemExit("a NaN reaches what lies before it, and nothing else")
