"""What images a network was trained on, so far as new ones have to be made like them.

A run keeps it beside its weights: whoever shows a trained network a picture needs neither the
data set nor the folder that it lay in.
"""

from dataclasses import dataclass
from typing import Any

from tinygrad_cnn.data import Normalise, Split, Standardise

__all__ = ["InputFormat"]


@dataclass(frozen=True)
class InputFormat:
    """Shape, mean and deviation of a network's images, and the names of its classes.

    Parameters
    ----------
    shape : tuple of int
        Of an image: channels, height, width.
    mean, deviation : float, or tuple of float for each channel, optional
        Of pixels from 0 to 1; None where nothing was taken off or divided out.
    class_names : tuple of str

    Examples
    --------
    >>> InputFormat((1, 32, 32), 0.1307, 0.3081).standardise
    Standardise(mean=0.1307, deviation=0.3081)
    """

    shape: tuple[int, ...]
    mean: float | tuple[float, ...] | None = None
    deviation: float | tuple[float, ...] | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, images: Split) -> "InputFormat":
        """Return that of a data set that is loaded.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> InputFormat.of(tg.data.load("digits")).shape
        (1, 32, 32)
        """
        applied = images.standardise
        mean, deviation = (None, None) if applied is None else (applied.mean, applied.deviation)
        return cls(images.train.images.shape[1:], mean, deviation, images.class_names)

    @property
    def standardise(self) -> Standardise | Normalise | None:
        """What is applied to pixels from 0 to 1, if anything is."""
        if self.mean is None or self.deviation is None:
            return None
        if isinstance(self.mean, tuple) or isinstance(self.deviation, tuple):
            return Normalise(self.mean, self.deviation)
        return Standardise(self.mean, self.deviation)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "InputFormat":
        """Rebuild what ``dataclasses.asdict`` made of one."""
        return cls(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
            }
        )
