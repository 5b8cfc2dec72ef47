"""Two 3x3 convolutions against one 5x5: they see the same pixels with fewer weights.

Run it: python demos/07_two_3x3_against_one_5x5.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

SIZE = 11  # pixels of the image, down and across; the output in the middle is looked at
DRAWS = 500  # networks, each with weights of its own
generator = tg.manual_seed(0)


def network(channels: int, kernels: tuple[int, ...], **options: bool) -> nn.Sequential:
    """Return convolutions that keep the image size, with a ReLU between any two."""
    layers: list[nn.Module] = []
    for kernel in kernels:
        layers += [nn.ReLU()] if layers else []
        layers.append(nn.Conv2d(channels, channels, kernel, padding=kernel // 2, **options))
    return nn.Sequential(*layers)


# -- parameters --------------------------------------------------------------------------
# What the lectures count: 3 channels in, 3 out, weights only.
five, two_threes = network(3, (5,), bias=False), network(3, (3, 3), bias=False)
print("weights, 3 → 3 channels")
print(f"  one 5x5   5·5·3·3     = {five.count_parameters()}")
print(f"  two 3x3   2·(3·3·3·3) = {two_threes.count_parameters()}")
if (five.count_parameters(), two_threes.count_parameters()) != (225, 162):
    raise SystemExit("the lectures count 225 against 162 weights")
biases = [network(3, kernels).count_parameters() for kernels in ((5,), (3, 3))]
print(f"  with biases: {biases[0]} against {biases[1]}")

print("\nweights of one 7x7 and of three 3x3, C → C channels")
print("     C   49 C²    27 C²")
for channels in (3, 16, 64):
    seven, threes = (network(channels, k, bias=False) for k in ((7,), (3, 3, 3)))
    print(f"{channels:6d} {seven.count_parameters():7,d}  {threes.count_parameters():7,d}")
    if (
        seven.count_parameters() != 49 * channels**2
        or threes.count_parameters() != 27 * channels**2
    ):
        raise SystemExit("the counts are not 49 C² and 27 C²")

# -- two linear 3x3 are a 5x5 --------------------------------------------------------------
# Without the ReLU the composite is one 5x5 filter: what a single bright pixel is spread to,
# flipped. The converse fails: 162 weights do not reach every filter of 225.
first, last = two_threes[0], two_threes[2]
impulses = np.zeros((3, 3, 5, 5), np.float32)  # one image for each input channel
impulses[range(3), range(3), 2, 2] = 1
spread = last(first(tg.Tensor(impulses))).numpy()  # (input channel, output channel, 5, 5)
filter_5x5 = tg.Tensor(spread.transpose(1, 0, 2, 3)[..., ::-1, ::-1].copy())
x = tg.Tensor(generator.normal(size=(1, 3, SIZE, SIZE)), dtype=np.float32)
inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))  # away from the border
difference = np.abs((last(first(x)) - F.conv2d(x, filter_5x5, padding=2)).numpy()[inside]).max()
print(f"\nlinear 3x3 ∘ 3x3 against its 5x5 filter: largest difference {difference:.0e}")
if difference > 1e-5:
    raise SystemExit("two linear 3x3 convolutions are not the 5x5 convolution")


# -- the receptive field, measured ---------------------------------------------------------
def paths(kernels: tuple[int, ...]) -> np.ndarray:
    """Return by how many paths each pixel reaches the output in the middle."""
    line = np.ones(1)
    for kernel in kernels:
        line = np.convolve(line, np.ones(kernel))
    line = np.pad(line, (SIZE - len(line)) // 2)
    return np.outer(line, line)


def error_field(kernels: tuple[int, ...]) -> np.ndarray:
    """Return the root mean square of ∂(middle output)/∂(pixel) over many networks."""
    squares = np.zeros((SIZE, SIZE))
    for _ in range(DRAWS):
        model = network(3, kernels, bias=False)
        for parameter in model.parameters():
            nn.init.kaiming_normal_(parameter)
        image = tg.Tensor(generator.normal(size=(1, 3, SIZE, SIZE)), True, np.float32)
        model(image)[0, 0, SIZE // 2, SIZE // 2].backward()
        squares += np.square(image.grad.numpy()[0]).mean(0)
    return np.sqrt(squares / DRAWS)


COMPARED = {"one 5x5": (5,), "two 3x3": (3, 3), "one 7x7": (7,), "three 3x3": (3, 3, 3)}
fields = {title: error_field(kernels) for title, kernels in COMPARED.items()}
print(f"\nreceptive field of the middle output, and √mean (∂y/∂x)² over {DRAWS} draws of weights")
print("            pixels   middle   edge   corner   corner/middle   √(paths ratio)")
for title, kernels in COMPARED.items():
    field, seen = fields[title], paths(kernels)
    reach = sum(kernel // 2 for kernel in kernels)
    if not np.array_equal(field > 0, seen > 0):
        raise SystemExit(f"{title}: the error signal does not fill exactly its receptive field")
    middle, side = SIZE // 2, SIZE // 2 - reach
    values = field[middle, middle], field[middle, side], field[side, side]
    expected = np.sqrt(seen[side, side] / seen[middle, middle])
    print(
        f"  {title:9s}  {2 * reach + 1}x{2 * reach + 1}  "
        + "".join(f"{v:8.3f}" for v in values)
        + f"{values[2] / values[0]:14.2f}{expected:17.2f}"
    )
    if abs(values[2] / values[0] - expected) > 0.15:
        raise SystemExit(f"{title}: the field does not follow the number of paths")
print("Through two 3x3, the middle pixel reaches the output by 9 paths and a corner by one: the")
print("error signal of stacked 3x3 is a bell, that of one large filter is flat.")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(9.5, 9), layout="constrained")
figure.suptitle("Receptive field of one output: √mean (∂y/∂x)² by pixel, middle = 1", fontsize=14)
for axes, (title, field) in zip(figure.subplots(2, 2).flat, fields.items(), strict=True):
    relative = field / field[SIZE // 2, SIZE // 2]
    drawn = axes.imshow(relative, cmap="cividis", vmin=0, vmax=1.1)
    for row, column in np.argwhere(relative > 0):
        shade = "black" if relative[row, column] > 0.6 else "white"
        text = f"{relative[row, column]:.1f}"
        axes.text(column, row, text, ha="center", va="center", color=shade, fontsize=10)
    weights = sum(kernel**2 for kernel in COMPARED[title])
    axes.set(
        title=f"{title}: {weights} C² weights", xlabel="column (pixels)", ylabel="row (pixels)"
    )
figure.colorbar(drawn, ax=figure.axes, shrink=0.6, label="relative to the middle pixel")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "07_two_3x3_against_one_5x5.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")
