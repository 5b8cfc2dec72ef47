"""A data set of one's own in PyTorch's words: a subclass of Dataset, and folders of pictures.

The lectures' second script. The pictures are embedded digits, threes and eights, saved as files.
Run it: python demos/25_own_pictures_by_pytorch_names.py
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import tinygrad_cnn as tg
from tinygrad_cnn.compat import torch
from tinygrad_cnn.compat.torch import nn, optim
from tinygrad_cnn.compat.torch.nn import functional as F
from tinygrad_cnn.compat.torch.utils.data import DataLoader, Dataset
from tinygrad_cnn.compat.torchvision import transforms
from tinygrad_cnn.compat.torchvision.datasets import ImageFolder

CLASSES = {3: "three", 8: "eight"}

# -- pictures: coloured, of several sizes, one folder for each class --------------------------
temporary = tempfile.TemporaryDirectory()
root = Path(temporary.name)
for name, part in zip(("train_data", "test_data"), tg.data.load_digits(), strict=True):
    for number, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
        if label in CLASSES:
            folder = root / name / CLASSES[int(label)]
            folder.mkdir(parents=True, exist_ok=True)
            ink = (image[0] * (255 / 16)).astype(np.uint8)
            coloured = Image.fromarray(np.stack([ink, 255 - ink, ink // 2], axis=-1))
            side = 40 + number % 3 * 8
            coloured.resize((side, side)).save(folder / f"{number}.png")

# -- from here on the script, as it runs with PyTorch ---------------------------------------------
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(777)


# 1. A line through points, from a data set of one's own.
class Points(Dataset):
    """Three numbers each, and a number that is to be predicted from them."""

    def __init__(self):
        self.x_data = [
            [0.73, 0.80, 0.75],
            [0.93, 0.88, 0.93],
            [0.89, 0.91, 0.90],
            [0.96, 0.98, 1.0],
        ]
        self.y_data = [[1.52], [1.85], [1.80], [1.96]]

    def __len__(self):
        return len(self.x_data)

    def __getitem__(self, idx):
        return torch.FloatTensor(self.x_data[idx]), torch.FloatTensor(self.y_data[idx])


line = nn.Linear(3, 1).to(device)
optimizer = optim.SGD(line.parameters(), lr=0.1)
points = DataLoader(Points(), batch_size=2, shuffle=True)
for epoch in range(101):
    for x_train, y_train in points:
        cost = F.mse_loss(line(x_train.to(device)), y_train.to(device))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    if epoch % 50 == 0:
        print(f"Epoch {epoch:3d}/100, cost of the last batch: {cost.item():.4f}")


# 2. Pictures in folders.
class CNN(nn.Module):
    """Two convolutions with poolings and two fully connected layers, for 32x32 pixels."""

    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(nn.Linear(16 * 5 * 5, 60), nn.ReLU(), nn.Linear(60, 2))

    def forward(self, x):
        """Return the scores of pictures (N, 3, 32, 32)."""
        out = self.layer2(self.layer1(x))
        out = out.view(out.shape[0], -1)
        return self.layer3(out)


trans = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
train_data = ImageFolder(root=str(root / "train_data"), transform=trans)
data_loader = DataLoader(dataset=train_data, batch_size=16, shuffle=True, num_workers=2)
print(f"{len(train_data)} pictures of {train_data.classes}")

net = CNN().to(device)
test_input = torch.Tensor(3, 3, 32, 32).to(device)
print(f"scores of three pictures: {net(test_input).size()}")

optimizer = optim.Adam(net.parameters(), lr=0.001)
loss_func = nn.CrossEntropyLoss().to(device)
total_batch = len(data_loader)
for epoch in range(5):
    avg_cost = 0.0
    for _num, (imgs, labels) in enumerate(data_loader):
        optimizer.zero_grad()
        loss = loss_func(net(imgs.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        avg_cost += loss / total_batch
    print(f"[Epoch:{epoch + 1}] cost = {avg_cost:.4f}")

torch.save(net.state_dict(), root / "model.pth")
new_net = CNN().to(device)
new_net.load_state_dict(torch.load(root / "model.pth"))
same = (net.layer1[0].weight == new_net.layer1[0].weight).all()
print(f"the same filters after saving and loading: {same.item()}")

test_data = ImageFolder(root=str(root / "test_data"), transform=trans)
test_set = DataLoader(dataset=test_data, batch_size=len(test_data))
with torch.no_grad():
    for imgs, label in test_set:
        prediction = new_net(imgs.to(device))
        accuracy = (torch.argmax(prediction, 1) == label.to(device)).float().mean()
        print(f"Accuracy on {len(label)} other pictures: {accuracy.item():.3f}")
        if accuracy.item() < 0.9:
            raise SystemExit("expected more than nine of ten")
temporary.cleanup()
