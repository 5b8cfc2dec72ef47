"""Augmentation as data: named transforms of training images, with their options.

A row of a recipe, such as ``("random-crop", {"padding": 4})``, can be written down, read again
and compared, where an object could not. What is drawn for an image depends on the run's seed,
the epoch and the image alone (see :mod:`tinygrad_cnn.data.draws`), so a run gets the same
pictures whatever the number of workers, and goes on with the same ones.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinygrad_cnn.data import Compose, Cutout, ElasticDistortion, RandomCrop, RandomFlip
from tinygrad_cnn.errors import OptionError, unknown_name

__all__ = ["TRANSFORMS", "Augmentation", "compose", "normalised"]

Augmentation = tuple[tuple[str, dict[str, Any]], ...]

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "cutout": Cutout,
    "elastic": ElasticDistortion,
    "random-crop": RandomCrop,
    "random-flip": RandomFlip,
}


def normalised(augment: Sequence[Sequence[Any]]) -> Augmentation:
    """Return named transforms in one form, whether a program or a JSON file gave them.

    Parameters
    ----------
    augment : sequence of (str, mapping)
        Name of a transform in `TRANSFORMS`, and its options.

    Raises
    ------
    UnknownNameError
        If there is no such transform.
    OptionError
        If it is no such sequence, or a transform refuses its options.

    Examples
    --------
    >>> normalised([["random-crop", {"padding": 4}], ["random-flip", {}]])
    (('random-crop', {'padding': 4}), ('random-flip', {}))
    """
    rows = []
    for row in augment:
        if isinstance(row, str) or len(row) != 2 or not isinstance(row[1], Mapping):
            raise OptionError(
                f"augment: each transform is a pair of a name and its options; got {row!r}. "
                'Write ("random-crop", {"padding": 4})'
            )
        rows.append((row[0], dict(row[1])))
    for name, options in rows:
        _made(name, options)
    return tuple(rows)


def compose(augment: Augmentation) -> Compose | None:
    """Return the transform of a :class:`~tinygrad_cnn.data.DataLoader`; None without any.

    Examples
    --------
    >>> compose((("random-flip", {}),))
    Compose([RandomFlip(probability=0.5)])
    """
    if not augment:
        return None
    return Compose([_made(name, options) for name, options in augment])


def _made(name: str, options: Mapping[str, Any]) -> Any:
    if name not in TRANSFORMS:
        raise unknown_name("augment", name, TRANSFORMS)
    transform = TRANSFORMS[name]
    known = inspect.signature(transform).parameters
    for option in options:
        if option not in known:
            raise OptionError(
                f"augment: the options of {name} are {', '.join(known)}; got {option!r}"
            )
    try:
        return transform(**{key: _tuple(value) for key, value in options.items()})
    except TypeError as reason:  # one that is missing, or a text for a number
        raise OptionError(f"augment: {name} takes its options; got {options} ({reason})") from None


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
