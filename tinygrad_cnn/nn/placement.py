"""Where a module is, and of which element type: the part of Module that asks its parameters."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.array_input import target
from tinygrad_cnn.elements.requirements import any_float_type
from tinygrad_cnn.errors import DeviceError


class Placed:
    """What has parameters and buffers, all in one place and of one type: the base of Module."""

    def parameters(self) -> Iterator[Any]:
        """Yield each parameter once."""
        raise NotImplementedError  # abstract

    def modules(self) -> Iterator[Any]:
        """Yield this module and all below it."""
        raise NotImplementedError  # abstract

    def to(self, *targets: Any, dtype: npt.DTypeLike | None = None, device: Any = None) -> Self:
        """Change the element type of all parameters and buffers; return self.

        Parameters
        ----------
        *targets : dtype, device or Tensor
            As :meth:`Tensor.to <tinygrad_cnn.Tensor.to>` takes them.
        dtype : dtype, optional
            float32 or float64. Make optimisers afterwards, as they keep arrays of the type they
            find.
        device : str, optional
            Where the module is already.

        Raises
        ------
        DeviceError
            If the parameters are somewhere else.
        DTypeError
            If the type is not one of floating-point numbers.

        Examples
        --------
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.nn.Linear(3, 2).to("cpu").to(np.float64).weight.dtype
        dtype('float64')
        """
        wanted, place = target(targets, dtype, device)
        for parameter in self.parameters():
            if place is not None and place != parameter.device:
                raise DeviceError(
                    f"to: a module stays on the device it was built on; got {place!r} for "
                    f"{parameter.name or 'a parameter'} on {parameter.device!r}"
                )
        if wanted is None:
            return self
        any_float_type("to", wanted)
        for parameter in self.parameters():
            parameter.become(wanted)
        for module in self.modules():
            own = vars(module)
            for name in own.get("_buffers", {}):
                if own[name] is not None and own[name].dtype.kind == "f":
                    own[name] = own[name].astype(wanted)
        return self

    def cpu(self) -> Self:
        """Return self: the module is on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Refuse: modules live on the CPU."""
        return self.to("cuda")

    def float(self) -> Self:
        """Change parameters and buffers to float32; see :meth:`to`."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Change parameters and buffers to float64; see :meth:`to`."""
        return self.to(np.float64)
