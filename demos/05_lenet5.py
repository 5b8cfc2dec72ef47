"""LeNet-5 on real handwritten digits: trained in a few seconds, then explained.

Run it: python demos/05_lenet5.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

SEED = 0
EPOCHS = 4
BATCH_SIZE = 32
LEARNING_RATE = 0.004

tg.manual_seed(SEED)
train, test = tg.data.load("digits")  # 1,438 and 359 images, 1x32x32, standardised
model = tg.models.build("lenet5")
optimiser = tg.optim.Adam(model.parameters(), lr=LEARNING_RATE)
print(model)
print(f"{model.count_parameters():,} parameters")


def accuracy() -> tuple[int, int]:
    """Return how many test images are classified right, of how many."""
    with tg.no_grad():
        scores = model(tg.Tensor(test.images))
    return int((scores.argmax(1).numpy() == test.labels).sum()), len(test.labels)


def error_signals(title: str) -> None:
    """Run one batch and print its story, forward and backward."""
    model.zero_grad()
    with tg.explain.record():
        loss = F.cross_entropy(model(tg.Tensor(test.images[:16])), test.labels[:16])
        loss.backward()
    print(f"\n{title}\n{tg.explain.story(loss)}")


error_signals("before training")

print()
for epoch in range(1, EPOCHS + 1):
    losses = []
    for images, labels in tg.data.DataLoader(train, BATCH_SIZE, shuffle=True):
        loss = F.cross_entropy(model(tg.Tensor(images)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    right, total = accuracy()
    print(f"epoch {epoch}: loss {np.mean(losses):.4f}, test accuracy {right / total:.1%}")

error_signals("after training")
