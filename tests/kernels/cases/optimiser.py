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

        def squares() -> tuple[np.ndarray, ...]:
            return tuple(np.asarray(np.abs(v)) for v in group())

        for rates in (
            (0.1, 0.9, 0.0, 1e-3, False),
            (0.1, 0.9, 0.0, 1e-3, True),
            (0.1, 0.5, 0.2, 0.0, False),
        ):
            yield Case(
                "sgd_update", f"{shapes} {rates}", (*rates, *group()), starts=group() + group()
            )
        yield Case(
            "sgd_update", f"{shapes} plain", (0.1, 0.0, 0.0, 1e-3, False, *group()), starts=group()
        )
        for decoupled in (False, True):
            yield Case(
                "adam_update", f"{shapes} decoupled={decoupled}",
                (1e-2, 0.9, 0.999, 1e-8, 1e-1, decoupled, False, 3, *group()),
                starts=(*group(), *group(), *squares()),
            )  # fmt: skip
        yield Case(
            "adam_update", f"{shapes} amsgrad",
            (1e-2, 0.9, 0.999, 1e-8, 1e-3, False, True, 3, *group()),
            starts=(*group(), *group(), *squares(), *squares()),
        )  # fmt: skip
        yield Case(
            "adagrad_update", f"{shapes}", (0.1, 1e-10, 1e-2, *group()),
            starts=(*group(), *squares()),
        )  # fmt: skip
        yield Case(
            "adadelta_update", f"{shapes}", (1.0, 0.9, 1e-6, 1e-2, *group()),
            starts=(*group(), *squares(), *squares()),
        )  # fmt: skip
        for momentum in (0.0, 0.9):
            for centered in (False, True):
                # a variance near 0 would make a long step of every rounding
                starts = [group(), tuple(np.asarray(v + 2) for v in squares())]
                starts += [tuple(np.asarray(v / 4) for v in group())] * centered
                starts += [group()] * bool(momentum)
                yield Case(
                    "rmsprop_update", f"{shapes} momentum={momentum} centered={centered}",
                    (1e-2, 0.99, 1e-8, 1e-2, momentum, centered, *group()),
                    starts=tuple(array for kind in starts for array in kind),
                )  # fmt: skip
        yield Case("average_update", f"{shapes}", (0.99, *group()), starts=group())
