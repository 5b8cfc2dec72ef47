import importlib
import pkgutil

import numpy as np
import pytest

from tinygrad_cnn import kernels
from tinygrad_cnn.errors import MissingKernelError, OptionError
from tinygrad_cnn.kernels import registry


@pytest.fixture
def scratch_registry(monkeypatch):
    """Let a test register kernels that are forgotten when it ends."""
    kernels.load_all()
    copied = {key: dict(known) for key, known in registry._KERNELS.items()}
    monkeypatch.setattr(registry, "_KERNELS", copied)
    monkeypatch.setattr(registry, "_answers", {})


def test_an_unknown_operation_is_refused_with_the_known_ones():
    with pytest.raises(MissingKernelError, match=r"no operation is called 'conv5d'.*known are"):
        kernels.lookup("conv5d")


def test_an_operation_that_a_device_lacks_is_refused_with_the_devices_that_have_it():
    with pytest.raises(MissingKernelError, match="no kernel on device 'scalar'; it exists on cpu"):
        kernels.lookup("matmul", "scalar")


def test_the_refusal_of_a_missing_kernel_is_true_for_every_operation():
    everything = kernels.load_all()
    for operation in {kernel.operation for kernel in everything}:
        have = sorted({kernel.device for kernel in everything if kernel.operation == operation})
        for device in {"scalar", "cpu", "abacus"} - set(have):
            message = (
                f"{operation}: no kernel on device '{device}'; it exists on {', '.join(have)}$"
            )
            with pytest.raises(MissingKernelError, match=message):
                kernels.lookup(operation, device)


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
        "winograd",
        "direct",
        "im2col",
        "reference",
    ]
    with kernels.use(conv2d_forward="im2col"):
        assert kernels.lookup("conv2d_forward").variant == "im2col"
        assert kernels.lookup("conv2d_relu_forward").variant == "im2col"
        with kernels.use(conv2d_relu_forward="direct"):
            assert kernels.lookup("conv2d_forward").variant == "im2col"
            assert kernels.lookup("conv2d_relu_forward").variant == "direct"
    assert kernels.lookup("conv2d_forward").variant == "direct"


def test_load_all_returns_every_operation():
    operations = {kernel.operation for kernel in kernels.load_all()}
    assert operations == {name for names in registry.MODULES.values() for name in names}


def test_an_operation_loads_all_modules_that_list_it():
    modules = {k.function.__module__ for k in kernels.variants("conv2d_forward")}
    homes = ("cpu.conv", "cpu.winograd", "cpu.im2col", "reference.conv")
    assert modules == {f"{kernels.__name__}.{home}" for home in homes}


def test_every_module_that_registers_kernels_is_listed():
    before = set(kernels.load_all())
    for folder in {folder for folders in registry._FOLDERS.values() for folder in folders}:
        package = importlib.import_module(f"{kernels.__name__}.{folder}")
        for found in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{found.name}")
    assert {k for known in registry._KERNELS.values() for k in known.values()} == before
    for kernel in before:
        assert kernel.operation in registry.MODULES[kernel.function.__module__.split(".")[-1]]


@pytest.mark.parametrize("loaded", [True, False], ids=["after loading", "before loading"])
def test_use_runs_a_variant_that_is_registered_at_run_time(scratch_registry, monkeypatch, loaded):
    modules = dict(registry._KERNELS["matmul", "cpu"])
    if not loaded:  # as in a process that has not looked the operation up yet
        monkeypatch.setitem(registry._KERNELS, ("matmul", "cpu"), {})
        monkeypatch.setattr(registry, "_loaded", registry._loaded - {("matmul", "cpu")})
    else:
        assert kernels.lookup("matmul").variant == "tile"

    @kernels.implements("matmul", device="cpu", variant="transposed", rank=5)
    def matmul(a, b, out):
        out[...] = (b.swapaxes(1, 2) @ a.swapaxes(1, 2)).swapaxes(1, 2)

    registry._KERNELS["matmul", "cpu"].update(modules)
    with kernels.use(matmul="transposed"):
        assert kernels.lookup("matmul").function is matmul
    assert kernels.lookup("matmul").variant == "tile"
    assert [k.variant for k in kernels.variants("matmul")] == [
        "tile",
        "transposed",
        "blas",
        "reference",
    ]


def test_the_order_of_registration_does_not_decide(scratch_registry):
    for names in (("early", "late"), ("late", "early")):
        registry._KERNELS["matmul", "cpu"].clear()
        for name in names:
            kernels.implements("matmul", device="cpu", variant=name)(print)
        assert [k.variant for k in kernels.variants("matmul")] == ["early", "late"]
        assert kernels.lookup("matmul").variant == "early"


def test_use_knows_an_operation_that_is_registered_at_run_time(scratch_registry):
    kernels.implements("swish", device="cpu", variant="plain")(print)
    kernels.implements("swish", device="cpu", variant="other", rank=1)(print)
    with kernels.use(swish="other"):
        assert kernels.lookup("swish").variant == "other"
    with pytest.raises(MissingKernelError, match=r"swish: no kernel on device 'scalar'.* on cpu"):
        kernels.lookup("swish", "scalar")
