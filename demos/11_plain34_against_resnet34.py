"""Plain-34 against ResNet-34: what a shortcut does for the error signal.

Run it: python demos/11_plain34_against_resnet34.py
"""

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

STEPS, BATCH_SIZE, LEARNING_RATE = 40, 32, 0.05
WIDTH = 1 / 8  # of the paper's channels: 8, 16, 32, 64 in the four stages
SMALL = 0.02  # deviation of the weights that networks started from before He's rule

# -- one residual sum by numbers -------------------------------------------------------------
branch = np.array([[32, -12, 22], [-10, -41, 1], [-30, 10, -2]], np.float64)
shortcut = np.array([[20, 3, 8], [41, 19, 21], [5, 52, 12]], np.float64)
F_x = tg.Tensor(branch, requires_grad=True)
x = tg.Tensor(shortcut, requires_grad=True)
y = F_x + x
print("F(x) + x and relu(F(x) + x)")
for row, rectified in zip(y.tolist(), F.relu(y).tolist(), strict=True):
    print("  " + "".join(f"{v:5g}" for v in row) + "     " + "".join(f"{v:5g}" for v in rectified))
if F.relu(y).tolist() != [[52, 0, 30], [31, 0, 22], [0, 62, 10]]:
    raise SystemExit("the residual sum of the lectures comes out differently")
y.backward(gradient=tg.Tensor(np.ones((3, 3))))
if not (F_x.grad.numpy() == x.grad.numpy()).all():
    raise SystemExit("a sum passes its error signal to both sides alike")
print("δ reaches F(x) and x alike. Over many blocks, without the rectifiers:")
print("  ∂E/∂x_l = ∂E/∂x_L · (1 + ∂/∂x_l Σ F): however small the F are, the 1 stays.")


# -- 34 layers, with and without shortcuts ------------------------------------------------------
def network(name: str, normalised: bool) -> nn.Module:
    """Build a narrow plain34 or resnet34, as published or without batch normalisation."""
    tg.manual_seed(0)
    shortcuts = {"shortcut": "A"} if name == "resnet34" else {}  # zeros for new channels
    model = tg.models.build(name, num_classes=10, width=WIDTH, **shortcuts)
    if not normalised:
        for module in list(model.modules()):
            for attribute, child in list(module.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, attribute, nn.Identity())
                elif isinstance(child, nn.Conv2d):
                    nn.init.normal_(child.weight, 0.0, SMALL)
    return model


train, test = tg.data.load("digits")  # 1,438 and 359 images, 1x32x32, standardised


def images_of(images: np.ndarray) -> tg.Tensor:
    """Return grey images in three colours."""
    return tg.Tensor(np.repeat(images, 3, axis=1))


def error_signals(model: nn.Module) -> np.ndarray:
    """Return ‖δ‖ behind the first convolution and behind each of the 16 pairs that follow."""
    model.zero_grad()
    with tg.explain.record() as recording:
        F.cross_entropy(model(images_of(test.images[:64])), test.labels[:64]).backward()
    rectifiers = [step for step in recording.steps if step.name == "relu"]
    return np.array([step.outgoing[0].statistics.norm for step in rectifiers[::2]])


def train_it(model: nn.Module) -> float:
    """Take some steps of gradient descent with momentum; return the mean of the last losses."""
    optimiser = tg.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    batches = tg.data.DataLoader(train, BATCH_SIZE, shuffle=True)
    losses: list[float] = []
    for images, labels in islice(batches, STEPS):
        loss = F.cross_entropy(model(images_of(images)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses[-10:]))


print(f"\n34 layers, {WIDTH:g} of the paper's channels, digits of 32x32 pixels; {STEPS} steps of")
print(f"{BATCH_SIZE} images, learning rate {LEARNING_RATE}, momentum 0.9, seed 0\n")
print("                  ‖δ‖ behind layer 1 / behind layer 33   loss after")
print("                  untrained          trained             training")
SETTINGS = {
    f"no normalisation, weights N(0, {SMALL}²)": False,
    "batch normalisation, He's weights": True,
}
curves = {}
for setting, normalised in SETTINGS.items():
    print(f"  {setting}")
    for name in ("plain34", "resnet34"):
        model = network(name, normalised)
        before = error_signals(model)
        loss = train_it(model)
        after = error_signals(model)
        curves[setting, name] = before, after, loss
        ratios = [f"{norms[0] / norms[-1]:17.1e}" for norms in (before, after)]
        print(f"    {name:10s}" + "".join(ratios) + f"{loss:17.3f}")

raw, normal = SETTINGS
gains = {key: before[0] / before[-1] for key, (before, _, _) in curves.items()}
if gains[raw, "plain34"] > 1e-15 or gains[raw, "resnet34"] < 1e-2:
    raise SystemExit("the plain network kept its signal, or the residual one lost it")
if gains[normal, "plain34"] < 2 * gains[normal, "resnet34"]:
    raise SystemExit("with normalisation, the plain network's signal grew no faster")
if curves[normal, "resnet34"][2] > curves[normal, "plain34"][2]:
    raise SystemExit("the plain network learned faster")
print("\nWith small weights nothing arrives through 34 plain layers; past the shortcuts it does.")
print("Batch normalisation keeps the plain signal from vanishing, as the paper says: here it grows")
print("on its way back. The residual network's stays closer to even, and it learns sooner.")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(12, 5.2), layout="constrained")
figure.suptitle("Error signal by depth: plain-34 against ResNet-34, an eighth as wide", fontsize=14)
LOOKS = {"plain34": ("#d55e00", "s"), "resnet34": ("#0072b2", "o")}  # Okabe and Ito's
for axes, setting in zip(figure.subplots(1, 2), SETTINGS, strict=True):
    for name, (color, marker) in LOOKS.items():
        before, after, loss = curves[setting, name]
        look = {"color": color, "marker": marker, "markersize": 4}
        layers = range(1, 2 * len(before), 2)
        axes.semilogy(layers, before, **look, linestyle="--", label=f"{name}, untrained")
        axes.semilogy(layers, after, **look, label=f"{name}, {STEPS} steps: loss {loss:.2f}")
    axes.set(title=setting, xlabel="behind layer, from the input", ylabel="‖δ‖ over 64 images")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="best")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "11_plain34_against_resnet34.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")
