"""The atlas of error signals: δ of every element of a network on one page, over depth and training.

Maps of δ, ‖δ‖ by depth, how far a step moves each weight, and which units let nothing pass: of one
network, then of networks side by side. The pages are single HTML files that open from disk.

Run it: python demos/18_error_signal_atlas.py
"""

import argparse
from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.explain.atlas import Run

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures
pictures.mkdir(parents=True, exist_ok=True)
written: list[Path] = []


def write(atlas: tg.explain.Atlas, name: str) -> None:
    """Write the page and the curves."""
    for ending in (".html", ".svg"):
        written.append(pictures / f"18_error_signal_atlas_{name}{ending}")
        atlas.save(written[-1])


# -- one network, one batch ---------------------------------------------------------------------
tg.manual_seed(0)
train, test = tg.data.load("digits")  # 1,438 and 359 images, 1x32x32, standardised
images, labels = test.images[:16], test.labels[:16]
network = tg.models.build("lenet5")
with tg.explain.record(keep="arrays") as recording:
    loss = F.cross_entropy(network(tg.Tensor(images)), labels)
    loss.backward()
atlas = tg.explain.atlas(loss, image=3, lr=0.01, title="LeNet-5 with sigmoids")
print(atlas)
write(atlas, "lenet5")

# The map of an element is δ of its output, for one image: here it is looked up in the recording.
(c3,) = (step for step in recording.steps if step.scope == "C3")
plate = next(plate for plate in atlas.runs[0].moments[0].plates if plate.label == "C3.conv2d")
strongest = plate.excerpt.channels[0]
if not np.allclose(plate.excerpt.maps[1], c3.outgoing[0].value[3, strongest]):
    raise SystemExit("the map is not the error signal that was recorded")
print(f"\nThe strongest map of C3 is δ of its channel {strongest}, {plate.excerpt.maps[1].shape}.")


def end_to_end(run: Run, moment: int = 0) -> float:
    """Return ‖δ‖ of the first layer's output over that of the last one's."""
    linear = [plate for plate in run.moments[moment].plates if plate.is_linear]
    return linear[0].signal.norm / linear[-1].signal.norm


# -- sigmoid against ReLU, over training ---------------------------------------------------------
atlas = tg.explain.compare_networks("lenet5-sigmoid-relu", steps=60)
write(atlas, "sigmoid_relu")
print(f"\n{atlas.title}\n\nstep   ‖δ‖ first layer / last layer")
print("       " + "".join(f"{run.title:>10s}" for run in atlas.runs))
for k, moment in enumerate(atlas.runs[0].moments):
    print(f"{moment.step:4d}   " + "".join(f"{end_to_end(run, k):10.3f}" for run in atlas.runs))
sigmoid, relu = (end_to_end(run) for run in atlas.runs)
if not sigmoid < 0.05 < relu:
    raise SystemExit("four sigmoids passed on more than a twentieth of δ, or rectifiers less")

# -- 56 layers with and without shortcuts, at initialisation ---------------------------------------
atlas = tg.explain.compare_networks("plain56-resnet56", steps=0)
write(atlas, "depth")
print(f"\n{atlas.title}, before training\n")
for run in atlas.runs:
    print(f"  {run.title:10s} ‖δ‖ first layer / last layer {end_to_end(run):8,.1f}")
plain, residual = (end_to_end(run) for run in atlas.runs)
if plain < 100 * residual:
    raise SystemExit("shortcuts made no difference to δ")
print(
    "Normalised, δ of the plain network does not fade: it grows, and the first steps are too long."
)

# -- a learning rate that kills units --------------------------------------------------------------
print("\nReLU LeNet-5 by learning rate: ‖Δw‖/‖w‖ of the first step, and dead units behind C3")
dead, runs = [], []
for rate in (0.02, 0.2):
    tg.manual_seed(0)
    network = tg.models.build("lenet5", activation="relu")
    run = tg.explain.follow_training(
        network,
        tg.optim.SGD(network.parameters(), lr=rate),
        tg.data.DataLoader(train, 16, shuffle=True),
        (images, labels),
        moments=(0, 40),
        title=f"learning rate {rate:g}",
    )
    runs.append(run)
    ratios = [update.ratio for update in run.moments[0].updates if update.dimensions > 1]
    behind_c3 = [
        next(plate for plate in moment.plates if plate.element == "relu" and plate.layer == 2)
        for moment in run.moments
    ]
    dead.append([plate.excerpt.idle.share for plate in behind_c3])
    told = f"{dead[-1][0]:.0%} before, {dead[-1][1]:.0%} after 40 steps"
    print(f"  {rate:4g}   median {np.median(ratios):.3f}   {told}")
if dead[1][1] < 2 * dead[1][0] or dead[0][1] > dead[1][1]:
    raise SystemExit("steps of a sixth of the weights killed no units, or short ones did")
print(
    "A dead unit is 0 for every image, and so is its derivative: from these images no δ wakes it."
)

print("\npictures: " + " ".join(map(str, written)))
