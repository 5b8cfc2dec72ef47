import signal

import pytest

from tinygrad_cnn.train import Interrupted, noted_interrupts


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_noted_and_raised_at_the_check(number: signal.Signals, code: int) -> None:
    with noted_interrupts() as interruption:
        interruption.check()
        signal.raise_signal(number)
        with pytest.raises(Interrupted, match=number.name) as raised:
            interruption.check()
    assert raised.value.exit_code == code


def test_the_first_signal_counts() -> None:
    with noted_interrupts() as interruption:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted, match="SIGTERM"):
            interruption.check()


def test_the_former_handlers_come_back_also_after_an_error() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="inside"), noted_interrupts():
        raise ValueError("inside")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_nothing_that_catches_errors_swallows_an_interruption() -> None:
    assert not issubclass(Interrupted, Exception)
