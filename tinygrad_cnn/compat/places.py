"""Devices by PyTorch's names: there is the CPU, and no other."""

from typing import Any

from tinygrad_cnn.array_input import as_place


class device(str):  # noqa: N801  # PyTorch's name
    """The name of a device, where scripts ask for an object.

    Raises
    ------
    DeviceError
        If it is not the CPU.

    Examples
    --------
    >>> print(device("cpu"), device("cpu").type == "cpu")
    cpu True
    """

    __slots__ = ()

    def __new__(cls, name: Any) -> "device":  # noqa: D102
        return super().__new__(cls, as_place("device", name))

    @property
    def type(self) -> str:
        """The name as a plain string."""
        return str(self)

    def __repr__(self) -> str:
        return f"device(type={self.type!r})"


def is_available() -> bool:
    """Tell whether there is a GPU to calculate on: never."""
    return False


def device_count() -> int:
    """Return the number of GPUs: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the generators of GPUs, of which there are none."""


def manual_seed_all(seed: int) -> None:
    """Seed the generators of GPUs, of which there are none."""


class AbsentBackend:
    """A library that is not there; scripts may set its options, which change nothing.

    Results are equal from run to run, to the bit, whatever ``deterministic`` is set to.
    """

    benchmark, deterministic, enabled = False, True, False

    def is_available(self) -> bool:
        """Tell whether it is there: never."""
        return False


cudnn, mps = AbsentBackend(), AbsentBackend()
