"""What training steps of full-size networks take of memory, each in a process of its own."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc"),
]

# One forward and backward pass; prints what was kept on the way and the peak, both in bytes.
STEP = """
import sys
import numpy as np
import tinygrad_cnn as tg
name, batch, options = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
model = tg.models.build(name, **options)
shape, classes = tg.models.find(name).input_shape, tg.models.find(name).num_classes
images = np.random.default_rng(0).standard_normal((batch, *shape), np.float32)
loss = tg.functional.cross_entropy(model(tg.Tensor(images)), np.arange(batch) % classes)
kept = tg.saved_bytes(loss).activations
loss.backward()
reached = all(np.abs(p.grad.numpy()).max() > 0 for p in model.parameters())
# Not resource.getrusage: a process that was forked from a large one inherits its peak there.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(kept, peak, reached)
"""
GIB = 2**30


@pytest.mark.parametrize(
    ("name", "batch", "options", "kept", "peak"),
    [
        # name, images, options, GiB kept for the walk back, GiB at the most
        ("vgg16", 16, {}, 0.93, 3.5),
        ("resnet50", 16, {}, 1.26, 2.5),
        ("googlenet", 16, {}, 0.36, 1.5),
        ("resnet1202", 128, {"recompute": 14}, 1.18, 2.5),  # 10.95 GiB without
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_full_size_training_step_fits_into_memory(
    name: str, batch: int, options: dict[str, int], kept: float, peak: float
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEP, name, str(batch), repr(options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen_kept, seen_peak, reached = done.stdout.split()
    print(f"{name}: {int(seen_kept):,} bytes kept, {int(seen_peak):,} at the peak")
    assert reached == "True"
    assert abs(int(seen_kept) / GIB - kept) < 0.02
    assert int(seen_peak) < peak * GIB
