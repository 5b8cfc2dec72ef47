"""What goes wrong between elements and between steps: fan-ins, gradients that stay, updates."""

from typing import Any


def overwritten(right: Any, self: Any, node: Any, present: Any, signal: Any, private: bool) -> None:
    """Keep of the error signals that reach one value the last one alone."""
    self.signals[node] = signal
    if private:
        self.owned.add(node)
    else:
        self.owned.discard(node)


def kept_gradients(right: Any, self: Any, set_to_none: bool = True) -> None:
    """Leave the gradients of the step before where they are."""


def turned_momentum(right: Any, self: Any, group: Any, *others: Any) -> None:
    """Move against the velocity: v ← -μ v + g."""
    right(self, {**group, "momentum": -group["momentum"]}, *others)


def turned_weight_decay(right: Any, self: Any, group: Any, *others: Any) -> None:
    """Let weights grow where they are to decay."""
    right(self, {**group, "weight_decay": -group["weight_decay"]}, *others)


def ascent(right: Any, self: Any, group: Any, *others: Any) -> None:
    """Walk uphill: θ ← θ + α v."""
    right(self, {**group, "lr": -group["lr"]}, *others)
