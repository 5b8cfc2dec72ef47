"""Seven optimisers in one narrow valley: where each of them goes, and how many steps it takes.

Run it: python demos/23_optimisers_in_a_valley.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

STEEP = 30.0  # the loss ½ (x² + 30 y²): thirty times more curved across than along
START = (-4.0, 1.0)
STEPS = 400
LEVEL = 0.01  # of the loss; it starts at 23

# The rates of the first three are the best in theory: for curvatures from 1 to κ they are
# 2 / (1 + κ), with momentum 4 / (1 + √κ)² and momentum ((√κ - 1) / (√κ + 1))², in Nesterov's
# form 1 / κ and (√κ - 1) / (√κ + 1). Those of the others were found by trying.
ROOT = STEEP**0.5
RATE, MOMENTUM = 4 / (1 + ROOT) ** 2, ((ROOT - 1) / (ROOT + 1)) ** 2
RUNS = {
    "SGD": lambda p: tg.optim.SGD(p, lr=2 / (1 + STEEP)),
    "SGD, momentum": lambda p: tg.optim.SGD(p, lr=RATE, momentum=MOMENTUM),
    "SGD, Nesterov": lambda p: tg.optim.SGD(p, 1 / STEEP, (ROOT - 1) / (ROOT + 1), nesterov=True),
    "Adagrad": lambda p: tg.optim.Adagrad(p, lr=1.0),
    "Adadelta": lambda p: tg.optim.Adadelta(p, lr=20.0),
    "RMSprop": lambda p: tg.optim.RMSprop(p, lr=0.1, alpha=0.9),
    "Adam": lambda p: tg.optim.Adam(p, lr=0.3),
}


def descend(make) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Return the points of a descent, and the loss at each."""
    curvature = tg.Tensor(np.array([1.0, STEEP]))
    point = tg.Tensor(np.array(START), requires_grad=True)
    optimiser = make([point])
    points, losses = [], []
    for _ in range(STEPS + 1):
        loss = 0.5 * (curvature * point * point).sum()
        points.append(point.numpy().copy())
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return np.array(points), np.array(losses)


# -- who arrives, and who comes to rest --------------------------------------------------------
print(f"Loss ½ (x² + {STEEP:g} y²) from {START}; steps until it is below {LEVEL:g}\n")
print("                        first step        largest loss of")
print("                 steps  along   across    the last 100")
paths, taken, rest = {}, {}, {}
for title, make in RUNS.items():
    paths[title], losses = descend(make)
    taken[title], rest[title] = int(np.argmax(losses < LEVEL)), losses[-100:].max()
    first = paths[title][1] - paths[title][0]
    print(
        f"  {title:14s} {taken[title]:4d}  {first[0]:+6.3f}  {first[1]:+6.3f}    {rest[title]:.0e}"
    )
    if not taken[title]:
        raise SystemExit(f"{title} did not arrive within {STEPS} steps")
share = 1 - np.array([1.0, STEEP]) * 2 / (1 + STEEP)
closed = np.array(START) * share ** np.arange(STEPS + 1)[:, None]
if not np.allclose(paths["SGD"], closed, rtol=1e-9, atol=1e-12):
    raise SystemExit("plain descent left its closed formula, θ₀ (1 - α curvature)ᵗ")
if not max(taken["SGD, momentum"], taken["SGD, Nesterov"]) < taken["SGD"] / 2:
    raise SystemExit("momentum did not shorten the way")
if not max(rest["Adagrad"], rest["Adam"]) < 1e-9 < LEVEL < min(rest["RMSprop"], rest["Adadelta"]):
    raise SystemExit("who came to rest is not who was said to")
print("\nPlain descent must keep its rate small for the steep walls, and crawls along the valley.")
print("Momentum cancels what goes to and fro. The others divide each direction by its own slopes:")
print("their first step is as long along the valley as across it. RMSprop and Adadelta forget the")
print("slopes they came from, so their steps stay long: they arrive, and rattle about.")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(12, 7.2), layout="constrained")
figure.suptitle(f"½ (x² + {STEEP:g} y²): the first 60 steps of seven optimisers", fontsize=14)
grid_x, grid_y = np.meshgrid(np.linspace(-4.6, 2.4, 200), np.linspace(-2.5, 2.5, 200))
height = 0.5 * (grid_x**2 + STEEP * grid_y**2)
panels = figure.subplots(2, 4, sharex=True, sharey=True).ravel()
panels[-1].set_axis_off()
for axes, (title, points) in zip(panels, paths.items(), strict=False):
    axes.contour(
        grid_x, grid_y, height, levels=np.geomspace(0.1, 80, 10), colors="0.8", linewidths=0.8
    )
    axes.plot(*points[:61].T, color="#0072b2", marker="o", markersize=3, linewidth=1)
    axes.plot(0, 0, color="#d55e00", marker="*", markersize=11)
    axes.set(title=f"{title}: {taken[title]} steps", xlim=(-4.6, 2.4), ylim=(-2.5, 2.5))
for axes in panels[3:7]:
    axes.set_xlabel("x, along")
    axes.tick_params(labelbottom=True)
for axes in panels[::4]:
    axes.set_ylabel("y, across")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "23_optimisers_in_a_valley.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")
