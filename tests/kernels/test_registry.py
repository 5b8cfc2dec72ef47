import numpy as np
import pytest

from tinygrad_cnn import kernels
from tinygrad_cnn.errors import MissingKernelError, OptionError
from tinygrad_cnn.kernels import registry


@pytest.fixture
def scratch_registry(monkeypatch):
    """Let a test register kernels that are forgotten when it ends."""
    kernels.variants("matmul")
    copied = {key: dict(known) for key, known in registry._KERNELS.items()}
    monkeypatch.setattr(registry, "_KERNELS", copied)
    monkeypatch.setattr(registry, "_plans", {})


def test_an_unknown_operation_is_refused_with_the_known_ones():
    with pytest.raises(MissingKernelError, match=r"no operation is called 'conv5d'.*known are"):
        kernels.lookup("conv5d")


def test_an_operation_that_a_device_lacks_is_refused_with_the_devices_that_have_it():
    with pytest.raises(MissingKernelError, match="no kernel on device 'scalar'; it exists on cpu"):
        kernels.lookup("matmul", "scalar")


def test_use_refuses_an_unknown_operation():
    with (
        pytest.raises(MissingKernelError, match="no operation is called 'conv5d'"),
        kernels.use(conv5d="direct"),
    ):
        pass


def test_use_refuses_an_unknown_variant_at_the_first_look_up():
    with (
        kernels.use(matmul="strassen"),
        pytest.raises(MissingKernelError, match="got 'strassen', known are tile, blas, reference"),
    ):
        kernels.lookup("matmul")


def test_a_second_kernel_of_one_variant_is_refused(scratch_registry):
    with pytest.raises(OptionError, match="a second 'tile' for 'matmul' on 'cpu'"):
        kernels.implements("matmul", device="cpu", variant="tile")(print)


def test_a_variant_that_cannot_serve_is_refused_by_name_and_skipped_otherwise(scratch_registry):
    register = kernels.implements(
        "matmul", device="cpu", variant="picky", rank=-1, supports=lambda g, dtype: "never today"
    )
    register(print)
    assert kernels.lookup("matmul").variant == "tile"
    with (
        kernels.use(matmul="picky"),
        pytest.raises(MissingKernelError, match=r"'picky' was asked for by name.*never today"),
    ):
        kernels.lookup("matmul")


def test_a_look_up_that_nobody_serves_lists_the_reasons(scratch_registry, monkeypatch):
    monkeypatch.setitem(registry._KERNELS, ("matmul", "cpu"), {})
    kernels.implements(
        "matmul", device="cpu", variant="picky", supports=lambda g, dtype: "no half precision"
    )(print)
    with pytest.raises(MissingKernelError, match=r"serves float16 .*picky: no half precision"):
        kernels.lookup("matmul", dtype=np.float16)


def test_variants_come_in_rank_order_and_use_ends_with_its_block():
    assert [k.variant for k in kernels.variants("conv2d_forward")] == [
        "direct",
        "im2col",
        "reference",
    ]
    with kernels.use(conv2d_forward="im2col"):
        assert kernels.lookup("conv2d_forward").variant == "im2col"
    assert kernels.lookup("conv2d_forward").variant == "direct"


def test_load_all_returns_every_operation():
    operations = {kernel.operation for kernel in kernels.load_all()}
    assert operations == {name for names in registry.MODULES.values() for name in names}
