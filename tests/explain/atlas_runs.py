"""A small recorded run that shows everything an atlas tells apart, and a reader of its pictures."""

import struct
import zlib
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.explain.atlas import Atlas, Plate

IMAGES = np.random.default_rng(0).normal(size=(4, 1, 8, 8)).astype(np.float32)
LABELS = np.array([0, 2, 1, 2])


class Gated(nn.Module):
    """A residual block with a gate, and everything else that an atlas tells apart."""

    def __init__(self) -> None:
        super().__init__()
        tg.manual_seed(3)
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.se = nn.SqueezeExcitation(4, 2)
        self.pool = nn.MaxPool2d(2)
        self.output = nn.Linear(64, 3)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.conv1(x))
        x = self.pool(self.se(self.conv2(x)) + x)
        return self.output(F.flatten(x, 1))


def loss_of(network: nn.Module) -> tg.Tensor:
    return F.cross_entropy(network(tg.Tensor(IMAGES)), LABELS)


def recorded(keep: str = "arrays", walked: bool = True) -> tg.Tensor:
    with tg.explain.record(keep=keep):
        loss = loss_of(Gated())
        if walked:
            loss.backward()
    return loss


def plates(found: Atlas) -> dict[str, Plate]:
    return {plate.label: plate for plate in found.runs[0].moments[0].plates}


def decoded(png: bytes) -> np.ndarray:
    """Read a grey PNG of eight bits by the specification, checksums included."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, content, size = 8, b"", (0, 0)
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        name, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", png[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(name + body)
        if name == b"IHDR":
            width, height, *kind = struct.unpack(">IIBBBBB", body)
            assert kind == [8, 0, 0, 0, 0]
            size = (height, width)
        content += body if name == b"IDAT" else b""
        place += 12 + length
    rows = np.frombuffer(zlib.decompress(content), np.uint8).reshape(size[0], size[1] + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]
