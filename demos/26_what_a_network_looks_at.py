"""What a network looks at: its filters and maps, which pixels matter, whose errors reach a weight.

LeNet-5 learns handwritten digits for some seconds. Then it is asked what it computes, which pixels
its answer depends on, how much of the image one of its numbers sees, and where the gradient of one
of its weights came from.

Run it: python demos/26_what_a_network_looks_at.py
"""

import argparse
from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures
pictures.mkdir(parents=True, exist_ok=True)


def draw(sheet: tg.explain.sight.Sheet, name: str) -> None:
    """Write a picture, and say where it is."""
    path = pictures / f"{Path(__file__).stem}_{name}.png"
    sheet.save(path)
    print(f"picture: {path}\n")


# -- a network that has learned something ------------------------------------------------------
tg.manual_seed(0)
train, test = tg.data.load("digits")
model = tg.models.build("lenet5", activation="relu", pool="max")
before = tg.explain.filters(model, "C1.weight").weights["C1.weight"]
optimiser = tg.optim.Adam(model.parameters(), lr=0.002)
for _ in range(3):
    for images, labels in tg.data.DataLoader(train, 32, shuffle=True):
        loss = F.cross_entropy(model(tg.Tensor(images)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
with tg.no_grad():
    answers = model(tg.Tensor(test.images)).argmax(1).numpy()
accuracy = float((answers == test.labels).mean())
print(f"LeNet-5 after 3 epochs: test accuracy {accuracy:.1%}")
if accuracy < 0.9:
    raise SystemExit("a network that has learned nothing looks at nothing")

# -- what it computes, and with which weights --------------------------------------------------
filters = tg.explain.filters(model, "C1.weight")
moved = np.abs(filters.weights["C1.weight"] - before).max()
print(f"\n{filters}\nlargest change of a weight of C1 by training: {moved:.2f}")
draw(filters.sheet(), "filters")

chosen = int(np.flatnonzero((test.labels == 3) & (answers == 3))[0])  # a 3
image = test.images[chosen]
with tg.explain.record(keep="arrays") as recording, tg.no_grad():
    model(tg.Tensor(image[None]))
maps = tg.explain.feature_maps(recording)
print(maps)
draw(maps.sheet(), "maps")

# -- which pixels its answer depends on ----------------------------------------------------------
saliency = tg.explain.saliency(model, image)
print(saliency)
draw(saliency.sheet(), "saliency")
region = tg.explain.grad_cam(model, image, layer="C3")
print(region)
draw(region.sheet(), "grad_cam")


# A map is a claim about the network; changing the pixels that it names is the test of it.
def score_with(pixels: np.ndarray, value: float) -> float:
    """Return the score of class 3 with some pixels at another value."""
    changed = image.copy()
    changed[:, pixels] = value
    with tg.no_grad():
        return float(model(tg.Tensor(changed[None])).numpy()[0, 3])


count = 50
ink = image[0] > image.min()
strongest = np.zeros(image[0].size, bool)
strongest[np.argsort(-np.where(ink, saliency.times_input, -np.inf).ravel())[:count]] = True
generator = np.random.default_rng(0)
others = []
for _ in range(20):
    drawn = np.zeros(image[0].size, bool)
    drawn[generator.choice(np.flatnonzero(ink), count, replace=False)] = True
    others.append(score_with(drawn.reshape(ink.shape), image.min()))
covered = score_with(strongest.reshape(ink.shape), image.min())
print(f"score of class 3: {saliency.score:.2f}; with {count} pixels of ink covered:")
print(f"  those of the largest gradient × input  {covered:6.2f}")
print(f"  drawn at random, mean of 20            {np.mean(others):6.2f}")
if not covered < np.mean(others) < saliency.score:
    raise SystemExit("the pixels of the map do not matter more than others")

shape = region.over_image() > 0.3 * region.map.max()
filled = score_with(shape, image.max())
elsewhere = [
    score_with(np.roll(shape, tuple(generator.integers(32, size=2)), (0, 1)), image.max())
    for _ in range(20)
]
print("Grad-CAM points at the empty ground beside the 3. With ink there:")
print(f"  in its {shape.sum()} pixels                      {filled:6.2f}")
print(f"  the same shape elsewhere, mean of 20   {np.mean(elsewhere):6.2f}\n")
if filled > np.mean(elsewhere):
    raise SystemExit("the region of the map does not matter more than others")

# -- how much of the image one number sees --------------------------------------------------------
seen = tg.Tensor(test.images[:4], requires_grad=True, name="image")
with tg.explain.record():
    loss = F.cross_entropy(model(seen), test.labels[:4])
for layer in ("C1", "S2", "C3", "S4"):
    field = tg.explain.receptive_field(loss, layer).check()
    half, found = field.pixels_that_hold(0.5), np.count_nonzero(field.map())
    rows, columns = field.spans[2:]
    print(
        f"{field.name:12s} depends on {rows}x{columns} = {field.geometry().sum():3d} pixels; "
        f"{found:3d} have a gradient, {half:2d} hold half of it"
    )
if field.spans[2:] != (16, 16) or half * 4 > field.geometry().sum():
    raise SystemExit("S4 sees 16x16 pixels, and a quarter of them holds more than half")
draw(field.sheet(test.images[0]), "receptive_field")

# -- and whose errors reach one weight -----------------------------------------------------------
errors = tg.explain.error_field(loss, "C1.weight", (0, 0, 2, 2)).check()
print(errors)
totals = np.array([reached.total for reached in errors.reached])
if not np.allclose(totals, errors.gradient, rtol=1e-3):
    raise SystemExit("on a single path, each element passes on the whole gradient")
with tg.no_grad():
    chances = F.softmax(model(seen), 1).numpy()[np.arange(4), test.labels[:4]]
least = int(chances.argmin())
print(f"probability of the right answer: {', '.join(f'{p:.0%}' for p in chances)}")
if errors.by_image().argmax() != least or errors.by_image()[least] < 0.5:
    raise SystemExit("most of the error does not come from the image that is answered worst")
print(
    "At every element the errors add up to the same gradient, most of them cancel, and nearly all"
)
print("come from the one image that the network is not sure of.")
draw(errors.sheet(), "error_field")
