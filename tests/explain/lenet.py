"""LeNet-5 as the lectures teach it, run on three digits and recorded."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.explain import record


def lenet5(dtype: Any = np.float32, **options: str) -> tg.Tensor:
    tg.manual_seed(0)
    model = tg.models.build("lenet5", **options)
    test = tg.data.load("digits").test
    if dtype != np.float32:
        model = model.double()
    with record(keep="arrays"):
        images = tg.Tensor(test.images[:3].astype(dtype), requires_grad=True, name="images")
        loss = F.cross_entropy(model(images), test.labels[:3])
        loss.backward()
    return loss
