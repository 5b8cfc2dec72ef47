"""Where a training run stands, as plain values that a checkpoint can hold."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["EpochRecord", "Evaluation", "TrainingState"]


class Evaluation(NamedTuple):
    """What a network made of a data set.

    Attributes
    ----------
    loss : float
        Mean cross entropy, in nats for one image.
    correct, total : int, in images

    Examples
    --------
    >>> print(Evaluation(loss=0.07, correct=352, total=359))
    98.1 % (352 of 359)
    """

    loss: float
    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of images whose class was found, 0 to 1."""
        return self.correct / self.total

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.1f} % ({self.correct} of {self.total})"


@dataclass(frozen=True)
class EpochRecord:
    """One line of the log.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    lr : float
        Learning rate of the epoch's last step.
    train_loss, test_loss : float
        Mean cross entropy, in nats for one image. The one of the training images is taken
        while the weights still change, each batch before its own step.
    train_correct, train_total, test_correct, test_total : int, in images
    seconds : float
        Time for the steps and the evaluation.
    """

    epoch: int
    lr: float
    train_loss: float
    train_correct: int
    train_total: int
    test_loss: float
    test_correct: int
    test_total: int
    seconds: float

    @property
    def train(self) -> Evaluation:
        """Loss and accuracy on the training images."""
        return Evaluation(self.train_loss, self.train_correct, self.train_total)

    @property
    def test(self) -> Evaluation:
        """Loss and accuracy on the test images."""
        return Evaluation(self.test_loss, self.test_correct, self.test_total)


@dataclass
class TrainingState:
    """Where a run stands: with weights and optimiser state, all that continues it.

    Attributes
    ----------
    epoch : int
        Finished epochs.
    step : int
        Finished steps of the epoch under way.
    loss_sum : float
        Loss of each image added up over these steps.
    correct, seen : int, in images
        Over these steps.
    seconds : float
        Spent on the epoch under way.
    order_state : dict, optional
        State of the random generator from which the epoch's order was drawn; None before.
    history : list of EpochRecord
        The finished epochs.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    order_state: dict[str, Any] | None = None
    history: list[EpochRecord] = field(default_factory=list)

    def count(self, loss: float, correct: int, images: int) -> None:
        """Add one finished step: mean loss and hits of its batch."""
        self.step += 1
        self.loss_sum += loss * images
        self.correct += correct
        self.seen += images

    def finish_epoch(self, lr: float, test: Evaluation) -> None:
        """Close the epoch under way with what its weights make of the test images."""
        self.epoch += 1
        mean = self.loss_sum / self.seen
        self.history.append(
            EpochRecord(
                self.epoch, lr, mean, self.correct, self.seen, *test, seconds=round(self.seconds, 3)
            )
        )
        self.step, self.loss_sum, self.correct, self.seen, self.seconds = 0, 0.0, 0, 0, 0.0
        self.order_state = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainingState":
        """Rebuild a state from ``dataclasses.asdict`` of it."""
        history = [EpochRecord(**record) for record in values["history"]]
        return cls(**{**values, "history": history})
