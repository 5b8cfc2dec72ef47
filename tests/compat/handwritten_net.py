"""A third way of writing such a script: layers in __init__, the rest in forward, log-likelihood."""

import sys

from tinygrad_cnn.compat import torch
from tinygrad_cnn.compat.torch import nn, optim
from tinygrad_cnn.compat.torch.nn import functional as F
from tinygrad_cnn.compat.torch.optim.lr_scheduler import StepLR
from tinygrad_cnn.compat.torch.utils.data import DataLoader
from tinygrad_cnn.compat.torchvision import datasets, transforms

root, weights = sys.argv[1:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2), inplace=True)
        x = x.view(-1, 320) if self.training else torch.flatten(x, 1)
        x = self.dropout(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def initialise(module):
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        module.bias.data.fill_(0.01)


def train(model, device, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.0)
        optimizer.step()
        if batch_idx % 5 == 0:
            print(f"epoch {epoch} [{batch_idx * len(data)}/{len(loader.dataset)}]")


@torch.no_grad()
def test(model, device, loader):
    model.eval()
    test_loss, correct = 0, 0
    for data, target in loader:
        data, target = data.to(device), target.to(device)
        output = model(data)
        test_loss += F.nll_loss(output, target, reduction="sum").item()
        pred = output.argmax(dim=1, keepdim=True)
        correct += pred.eq(target.view_as(pred)).sum().item()
        _, again = torch.max(output.data, 1)
        if not torch.equal(again, pred.squeeze(1)):
            raise SystemExit("torch.max and argmax differ")
    print(f"average {test_loss / len(loader.dataset):.2f}, right {correct}/{len(loader.dataset)}")


torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
train_loader = DataLoader(
    datasets.MNIST(root, train=True, download=True, transform=transform),
    batch_size=64,
    shuffle=True,
)
test_loader = DataLoader(datasets.MNIST(root, train=False, transform=transform), batch_size=200)
model = Net().to(device)
model.apply(initialise)
print(sum(p.numel() for p in model.parameters() if p.requires_grad), "parameters")
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
for epoch in range(1, 3):
    train(model, device, train_loader, optimizer, epoch)
    test(model, device, test_loader)
    scheduler.step()
    print(f"rate {scheduler.get_last_lr()[0]:.4f}, {optimizer.param_groups[0]['lr']:.4f}")

torch.save(model.state_dict(), weights)
other = Net().to(device)
other.load_state_dict(torch.load(weights))
test(other, device, test_loader)
