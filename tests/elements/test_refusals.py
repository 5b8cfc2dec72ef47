"""What is refused, by which error, in which words."""

import pytest

from tinygrad_cnn.errors import TinygradCnnError

from .refusals import REFUSALS, Refusal


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.id)
def test_what_cannot_be_done_is_refused_with_its_reason(refusal: Refusal) -> None:
    assert issubclass(refusal.error, TinygradCnnError)
    with pytest.raises(refusal.error, match=refusal.match) as caught:
        refusal.call()
    message = str(caught.value)
    assert ": " in message
    assert not message.endswith(" ")
    assert "  " not in message


def test_every_row_of_refusals_has_a_name_of_its_own() -> None:
    ids = [refusal.id for refusal in REFUSALS]
    assert len(set(ids)) == len(ids)
