"""Updates of parameters in place."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

# shapes of the parameters of one call
PARAMETERS = (
    ((1,),),
    ((37,),),
    ((0,),),
    ((),),
    ((6, 1, 5, 5), (6,), (0,), (3, 40)),
    ((20_000,), (10, 3), (16_384, 2)),  # longer than the parts in which a call is computed
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for shapes in PARAMETERS:

        def group(shapes: Any = shapes) -> tuple[np.ndarray, ...]:
            return tuple(values(*shape) for shape in shapes)

        for nesterov in (False, True):
            yield Case(
                "sgd_update", f"{shapes} nesterov={nesterov}",
                (0.1, 0.9, 1e-3, nesterov, *group()), starts=group() + group(),
            )  # fmt: skip
        yield Case(
            "adam_update", f"{shapes}", (1e-2, 0.9, 0.999, 1e-8, 1e-3, 3, *group()),
            starts=(*group(), *group(), *(np.asarray(np.abs(v)) for v in group())),
        )  # fmt: skip
