"""The lectures' script in PyTorch's words: of such a script only the import lines change.

Without --root it trains on the embedded digits, brought into the form of MNIST's files first.
Run it: python demos/24_lecture_script_by_pytorch_names.py
With MNIST: python demos/24_lecture_script_by_pytorch_names.py --root ~/data --epochs 15
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.compat import torch
from tinygrad_cnn.compat.torch import nn, optim
from tinygrad_cnn.compat.torch.nn import init
from tinygrad_cnn.compat.torch.utils.data import DataLoader
from tinygrad_cnn.compat.torchvision import datasets as dsets
from tinygrad_cnn.compat.torchvision import transforms

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--root", type=Path, help="folder of MNIST's files; fetched where they miss")
parser.add_argument("--epochs", type=int, default=8, help="15 in the lectures")
arguments = parser.parse_args()


# -- data: where there is no MNIST, digits that look like it -----------------------------------
def write_idx(path: Path, array: np.ndarray) -> None:
    """Write bytes in the format of MNIST's files: type and axes, sizes, values."""
    sizes = np.array(array.shape, ">i4").tobytes()
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def write_digits(folder: Path) -> None:
    """Write the embedded digits, 8x8 pixels of 0..16, as four files of 28x28 pixels of 0..255."""
    folder.mkdir(parents=True)
    for name, part in zip(("train", "t10k"), tg.data.load_digits(), strict=True):
        pixels = tg.data.upsample(part.images.astype(np.float32), 28) * (255 / 16)
        write_idx(folder / f"{name}-images-idx3-ubyte", pixels[:, 0].round().clip(0, 255))
        write_idx(folder / f"{name}-labels-idx1-ubyte", part.labels)


temporary = tempfile.TemporaryDirectory()
root = arguments.root or Path(temporary.name)
if arguments.root is None:
    write_digits(root / "MNIST" / "raw")

# -- from here on the script, as it runs with PyTorch ---------------------------------------------
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(777)
learning_rate = 0.001
training_epochs = arguments.epochs
batch_size = 100

mnist_train = dsets.MNIST(root=root, train=True, transform=transforms.ToTensor(), download=True)
mnist_test = dsets.MNIST(root=root, train=False, transform=transforms.ToTensor(), download=True)
data_loader = DataLoader(mnist_train, batch_size=batch_size, shuffle=True, drop_last=True)


class CNN(nn.Module):
    """Two convolutions, each with a ReLU and a pooling, and one fully connected layer."""

    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3, stride=1, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)
        )
        self.layer2 = nn.Sequential(
            nn.Conv2d(32, 64, kernel_size=3, stride=1, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)
        )
        self.fc = nn.Linear(7 * 7 * 64, 10, bias=True)
        init.xavier_uniform_(self.fc.weight)

    def forward(self, x):
        """Return the scores of images (N, 1, 28, 28)."""
        out = self.layer1(x)
        out = self.layer2(out)
        out = out.view(out.size(0), -1)
        return self.fc(out)


model = CNN().to(device)
criterion = nn.CrossEntropyLoss().to(device)
optimizer = optim.Adam(model.parameters(), lr=learning_rate)

total_batch = len(data_loader)
for epoch in range(training_epochs):
    avg_cost = 0
    for X, Y in data_loader:
        X = X.to(device)
        Y = Y.to(device)
        optimizer.zero_grad()
        hypothesis = model(X)
        cost = criterion(hypothesis, Y)
        cost.backward()
        optimizer.step()
        avg_cost += cost / total_batch
    print(f"[Epoch: {epoch + 1:>4}] cost = {avg_cost:>.6f}")

with torch.no_grad():
    X_test = mnist_test.data.view(len(mnist_test), 1, 28, 28).float().to(device)
    Y_test = mnist_test.targets.to(device)
    # The lectures test on pixels of 0 to 255, having trained on 0 to 1: both are shown.
    for largest in (255, 1):
        prediction = model(X_test * (largest / 255))
        correct_prediction = torch.argmax(prediction, 1) == Y_test
        accuracy = correct_prediction.float().mean()
        print(f"Accuracy on pixels of 0 to {largest}: {accuracy.item():.4f}")
    if arguments.root is None and accuracy.item() < 0.9:
        raise SystemExit("expected more than nine of ten")
temporary.cleanup()
