"""Where a training run stands, as plain values that a checkpoint can hold."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

__all__ = ["EpochRecord", "Evaluation", "TrainingState"]


class Evaluation(NamedTuple):
    """What a network made of a data set.

    Attributes
    ----------
    loss : float
        Mean cross entropy, in nats for one image.
    correct, total : int, in images
    top5 : int, in images, optional
        Whose class was among the five of the highest scores; None where there are no more
        than five classes.

    Examples
    --------
    >>> print(Evaluation(loss=0.07, correct=352, total=359))
    98.1 % (352 of 359)
    """

    loss: float
    correct: int
    total: int
    top5: int | None = None

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
    train_top5, test_top5 : int, in images, optional
        Whose class was among the five of the highest scores; None where there are no more
        than five classes.
    held_out_loss : float, optional
    held_out_correct, held_out_total : int, in images, optional
        Of the training images that are held out, where some are.
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
    train_top5: int | None = None
    test_top5: int | None = None
    held_out_loss: float | None = None
    held_out_correct: int | None = None
    held_out_total: int | None = None

    @property
    def train(self) -> Evaluation:
        """Loss and accuracy on the training images."""
        return Evaluation(self.train_loss, self.train_correct, self.train_total, self.train_top5)

    @property
    def test(self) -> Evaluation:
        """Loss and accuracy on the test images."""
        return Evaluation(self.test_loss, self.test_correct, self.test_total, self.test_top5)


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
    top5 : int, in images, optional
        Over these steps; None where there are no more than five classes.
    loader : dict, optional
        Where the loader stood after the last finished step, see
        :meth:`tinygrad_cnn.data.DataLoader.state`; None before the first one.
    rates : list of float
        The learning rate of each group of parameters that the schedule starts from.
    best_loss : float, optional
        The lowest loss of held-out images; None before there is one.
    best_epoch : int
        The epoch of that loss.
    stopped : bool
        Whether the run ended early, for want of a lower one.
    history : list of EpochRecord
        The finished epochs.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    top5: int | None = None
    loader: dict[str, Any] | None = None
    rates: list[float] = field(default_factory=list)
    best_loss: float | None = None
    best_epoch: int = 0
    stopped: bool = False
    history: list[EpochRecord] = field(default_factory=list)

    def count(self, loss: float, correct: int, images: int, top5: int | None = None) -> None:
        """Add one finished step: mean loss and hits of its batch."""
        self.step += 1
        self.loss_sum += loss * images
        self.correct += correct
        self.seen += images
        self.top5 = None if top5 is None else (self.top5 or 0) + top5

    def finish_epoch(self, lr: float, test: Evaluation, held_out: Evaluation | None = None) -> None:
        """Close the epoch under way with what its weights make of images not learnt from."""
        self.epoch += 1
        record = EpochRecord(
            epoch=self.epoch,
            lr=lr,
            train_loss=self.loss_sum / self.seen,
            train_correct=self.correct,
            train_total=self.seen,
            test_loss=test.loss,
            test_correct=test.correct,
            test_total=test.total,
            seconds=round(self.seconds, 3),
            train_top5=self.top5,
            test_top5=test.top5,
        )
        if held_out is not None:
            record = replace(
                record,
                held_out_loss=held_out.loss,
                held_out_correct=held_out.correct,
                held_out_total=held_out.total,
            )
        self.history.append(record)
        self.step, self.loss_sum, self.correct, self.seen, self.seconds = 0, 0.0, 0, 0, 0.0
        self.top5 = None

    def ends(self, epochs: int) -> bool:
        """Tell whether a run of so many epochs is over."""
        return self.stopped or self.epoch >= epochs

    @property
    def result(self) -> Evaluation:
        """What the weights that the run ends with make of the test images.

        Those of the epoch with the lowest loss on held-out images, where some are.
        """
        return self.history[self.best_epoch - 1 if self.best_epoch else -1].test

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainingState":
        """Rebuild a state from ``dataclasses.asdict`` of it."""
        history = [EpochRecord(**record) for record in values["history"]]
        return cls(**{**values, "history": history})
