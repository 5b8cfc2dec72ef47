"""The reference code of the lectures, and what its rot180, flipall, 'valid' and 'full' are for.

DeepLearnToolbox computes with a true convolution along all axes; this library with
cross-correlations, as the field does now. Both follow the chain rule.

Run it: python demos/15_deeplearntoolbox_replay.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.explain.toolbox_replay import convn
from tinygrad_cnn.models.dlt import squared_error_of_classes

# -- the columns ----------------------------------------------------------------------------
replay = tg.explain.toolbox_replay()
print(replay)
for row in replay.rows:
    if row.apart > 1e-12:
        raise SystemExit(f"{row.quantity}: the three columns differ by {row.apart}")

# -- a true convolution is a plain one with the filter turned ----------------------------------
print("\ntrue convolution, in one line")
generator = np.random.default_rng(0)
image, k = generator.normal(size=(5, 5)), generator.normal(size=(3, 3))
x, w = tg.Tensor(image[None, None]), tg.Tensor(k[None, None])
turned = tg.Tensor(k[::-1, ::-1].copy()[None, None])
true, plain = F.conv2d(x, w, flip=True).numpy(), F.conv2d(x, turned).numpy()
if not np.allclose(true, plain) or not np.allclose(true[0, 0], convn(image, k, "valid")):
    raise SystemExit("a true convolution is no plain one with a turned filter")
print("  turned filter, plain convolution: the same as convn(image, k, 'valid')")

# -- why flipall and not rot180 ---------------------------------------------------------------
print("\nthe gradient of a filter, images along the last axis as in the toolbox")
for count in (1, 4):
    a, d = generator.normal(size=(6, 6, count)), generator.normal(size=(4, 4, count))
    with_flipall = convn(a[::-1, ::-1, ::-1], d, "valid")
    with_rot180 = convn(a[::-1, ::-1], d, "valid")
    agree = np.allclose(with_flipall, with_rot180)
    if agree != (count == 1):
        raise SystemExit("flipping the images matters from two images on")
    images = "one image" if count == 1 else f"{count} images"
    verdict = "agree" if agree else "differ: image n met image N + 1 - n"
    print(f"  {images} in the batch: rot180 and flipall {verdict}")

# -- its example network, on the embedded digits -------------------------------------------------
tg.manual_seed(0)
model = tg.models.build("dlt_cnn")
train, test = tg.data.load("digits", image_size=28)
RATE, BATCH, EPOCHS = 1.0, 50, 20  # rate and batch are those of the toolbox's example
optimiser = tg.optim.SGD(model.parameters(), lr=RATE)
print(f"\n6c5-2s-12c5-2s, conv2d, flip=True  |  {model.count_parameters():,} parameters")


def error() -> float:
    """Return the share of test images that get a wrong answer."""
    with tg.no_grad():
        answers = model(tg.Tensor(test.images)).numpy().argmax(1)
    return float((answers != test.labels).mean())


before = error()
for _ in range(EPOCHS):
    for images, labels in tg.data.DataLoader(train, BATCH, shuffle=True):
        loss = squared_error_of_classes(model(tg.Tensor(images)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
after = error()
print(f"  test error before {before:.1%}, after {EPOCHS} epochs of {len(train)} digits {after:.1%}")
if after > 0.3:
    raise SystemExit("the network did not learn")
