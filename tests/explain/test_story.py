"""What the printouts say: text exactly, numbers to three digits."""

import gc
import re
from collections.abc import Callable

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.explain import recording

from .stories import GOLDEN, STORIES

# A number stands alone: not the 2 of S2 or of relu2, nor the sizes of 16x6x28x28.
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*x\d)(?![a-zA-Z])")


def split(text: str) -> tuple[str, list[float]]:
    """Return a text with its numbers taken out and runs of blanks joined, and the numbers."""
    numbers = [float(number) for number in NUMBER.findall(text)]
    return re.sub(r" +", " ", NUMBER.sub("#", text)), numbers


@pytest.mark.parametrize("run", STORIES, ids=lambda run: run.__name__)
def test_a_story_reads_as_the_golden_one(run: Callable[[], str]) -> None:
    golden = (GOLDEN / f"{run.__name__}.txt").read_text(encoding="utf-8").rstrip("\n")
    expected, expected_numbers = split(golden)
    got, numbers = split(run())
    assert got == expected
    np.testing.assert_allclose(numbers, expected_numbers, rtol=2e-3, atol=1e-12)


def test_numbers_of_a_golden_story_are_compared() -> None:
    text = (GOLDEN / "lenet5.txt").read_text(encoding="utf-8")
    words, numbers = split(text)
    assert len(numbers) > 150
    assert "C1.conv2d" in words
    assert split(text.replace("2x2", "3x3"))[0] != words


def test_backward_is_not_yet_computed_before_it_ran() -> None:
    x = tg.Tensor([1.0], requires_grad=True)
    with tg.explain.record():
        y = x.exp().sum()
        before = tg.explain.story(y)
        y.backward()
        after = tg.explain.story(y)
    assert before.count("not yet computed") == 2
    assert "not yet computed" not in after


def test_a_run_that_was_not_recorded_shows_structure_and_no_figures() -> None:
    x = tg.Tensor([1.0], requires_grad=True)
    y = x.exp().sum()
    assert "not kept" in tg.explain.story(y)
    y.backward()
    assert "not kept" in tg.explain.story(y), "the structure outlives the saved arrays"


def test_a_run_without_gradients_is_told_forward_only() -> None:
    with tg.explain.record(), tg.no_grad():
        y = tg.Tensor([1.0, 2.0]).exp().sum()
    text = tg.explain.story(y)
    assert "exp" in text.split("backward")[0]
    assert text.split("backward")[1].strip() == "nothing here requires a gradient"


def test_a_chain_of_ten_thousand_elements_is_told_line_by_line() -> None:
    y = x = tg.Scalar(1.0, requires_grad=True)
    with tg.explain.record():
        for _ in range(10_000):
            y = y * 1.0001
        y.backward()
    lines = tg.explain.story(y).splitlines()
    assert len([line for line in lines if "multiply" in line]) == 20_000
    assert x.grad is not None
    assert float(x.grad) == pytest.approx(1.0001**10_000)


def test_only_what_the_result_depends_on_is_told() -> None:
    x = tg.Tensor([1.0], requires_grad=True)
    with tg.explain.record():
        x.tanh()
        y = x.exp()
    assert "tanh" not in tg.explain.story(y)


def test_optional_columns_show_time_bytes_and_the_kernel_that_ran() -> None:
    x = tg.Tensor(np.ones((1, 1, 4, 4), np.float32))
    w = tg.Tensor(np.ones((1, 1, 3, 3), np.float32), requires_grad=True)
    variants = {"conv2d_forward": "reference", "conv2d_grad_weight": "reference"}
    with tg.explain.record(), tg.kernels.use(**variants):
        y = F.conv2d(x, w).sum()
        y.backward()
    text = tg.explain.story(y, columns=("time", "bytes", "kernel"))
    assert "conv2d_forward:reference" in text
    assert "conv2d_grad_weight:reference" in text
    assert "conv2d_grad_input" not in text, "nobody wants the error signal of the image"
    assert f"{4 * (16 + 9 + 4)}" in text  # bytes: image, filter and result, once each
    assert "µs" in text


def test_the_error_signal_shrinks_by_the_gain_that_is_printed() -> None:
    x = tg.Tensor([0.3, -0.2], requires_grad=True)
    with tg.explain.record() as recording:
        h = x * 2.0
        h.sigmoid().sum().backward()
    step = next(step for step in recording.steps if step.label == "sigmoid")
    assert step.outgoing is not None
    assert step.incoming is not None
    outgoing, incoming = step.outgoing[0], step.incoming[0]
    assert outgoing is not None
    assert incoming is not None
    a = 1 / (1 + np.exp(-2 * np.array([0.3, -0.2])))
    assert outgoing.statistics.norm == pytest.approx(np.sqrt(2))
    assert incoming.statistics.norm == pytest.approx(np.linalg.norm(a * (1 - a)))


def test_whole_values_are_kept_on_request() -> None:
    x = tg.Tensor([0.3, -0.2], requires_grad=True)
    with tg.explain.record(keep="arrays") as recording:
        (x * 2.0).sum().backward()
    np.testing.assert_array_equal(recording.steps[0].outputs[0].value, x.numpy() * 2)
    assert recording.steps[0].incoming is not None
    assert recording.steps[0].incoming[0] is not None
    np.testing.assert_array_equal(recording.steps[0].incoming[0].value, [2, 2])


def test_a_shared_parameter_shows_both_its_names() -> None:
    class Twice(tg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = tg.nn.Linear(2, 2)
            self.second = tg.nn.Linear(2, 2)
            self.second.weight = self.first.weight

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.second(self.first(x))

    with tg.explain.record():
        loss = Twice()(tg.Tensor([[1.0, 2.0]])).sum()
        loss.backward()
    assert "first.weight = second.weight" in tg.explain.story(loss)


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(GraphError, match="no recorded element computed this value"):
        tg.explain.story(tg.Tensor([1.0]))
    x = tg.Scalar(1.0, requires_grad=True)
    with pytest.raises(OptionError, match="columns are among time, bytes, multiply-adds, kernel"):
        tg.explain.story(x * x, columns=("flops",))
    with (
        pytest.raises(OptionError, match="keep is one of statistics, arrays"),
        tg.explain.record(keep="all"),
    ):
        pass


def test_names_of_leaves_stand_in_the_rules() -> None:
    w, x = tg.Scalar(2.0, requires_grad=True, name="w"), tg.Scalar(3.0, name="x")
    with tg.explain.record():
        p = w * x
        p.backward()
    text = tg.explain.story(p)
    assert "p = w · x = 2 · 3 = 6" in text
    assert "∇w = δ(p) · x = 1 · 3 = 3" in text


def test_a_value_that_enters_twice_receives_the_sum() -> None:
    x = tg.Scalar(3.0, requires_grad=True, name="x")
    with tg.explain.record():
        y = x * x
        y.backward()
    text = tg.explain.story(y)
    assert "∇x 6" in text
    assert "∇x = δ(p) · x + δ(p) · x = 1 · 3 + 1 · 3 = 6" in text


def test_a_fan_in_says_who_sent_how_much() -> None:
    x = tg.Tensor([3.0, 4.0], requires_grad=True, name="x")
    with tg.explain.record():
        loss = (x * 3.0 + x.relu() * -1.0).sum()
        loss.backward()
    text = tg.explain.story(loss)
    line = next(line for line in text.splitlines() if "fan-in" in line)
    # c = (3, 3) and (-1, -1): norms 3√2 and √2, shares 75 and 25 %, of which a half is left.
    assert (
        line.strip() == "fan-in  ‖δ(x)‖ 2.828, 50 % kept ← relu 1.414 (25 %), multiply 4.243 (75 %)"
    )
    rows = text.split("backward")[1].splitlines()
    behind = rows[rows.index(line) - 1]
    assert behind.split()[1] == "multiply", "it stands behind the element that sent last"


def test_many_senders_are_added_up() -> None:
    x = tg.Tensor([1.0], requires_grad=True, name="x")
    with tg.explain.record():
        total = x * 1.0
        for k in range(2, 13):
            total = total + x * float(k)
        loss = total.sum()
        loss.backward()
    lines = [line for line in tg.explain.story(loss).splitlines() if "fan-in" in line]
    assert "fan-in  ‖δ(x)‖ 78, 100 % kept ←" in lines[0]
    assert "multiply 12 (15.4 %)" in " ".join(lines)
    assert lines[-1].endswith("6 others (26.9 %)")
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize("name", ["densenet_bc100_12", "googlenet", "se_resnet50"])
def test_fan_ins_of_deep_networks_fit_a_terminal(name: str) -> None:
    row = tg.models.find(name)
    images = np.random.default_rng(1).normal(size=(2, *row.twin_input))
    network = row.build_twin()
    with tg.explain.record():
        loss = row.loss(network(tg.Tensor(images, dtype=np.float32)), np.array([0, 1]))
        loss.backward()
    lines = [line for line in tg.explain.story(loss).splitlines() if "fan-in" in line]
    assert sum("←" in line for line in lines) == len(tg.explain.fan_ins(loss).rows) > 4
    assert max(map(len, lines)) <= 115


def test_a_backward_pass_that_is_a_graph_itself_can_be_told() -> None:
    x = tg.Scalar(3.0, requires_grad=True, name="x")
    with tg.explain.record():
        (x**3.0).backward(create_graph=True)
        second = x.grad
        x.zero_grad()
        assert second is not None
        second.backward()
    text = tg.explain.story(second)
    assert text.count("multiply") >= 2
    assert x.grad is not None
    assert float(x.grad) == 18.0


def test_what_ran_before_the_recording_is_said_to_be_missing() -> None:
    h = tg.Tensor([1.0], requires_grad=True) * 2.0
    with tg.explain.record():
        y = h.exp()
    assert "1 value had been computed before the recording began" in tg.explain.story(y)


def test_a_recording_dies_with_the_values_it_is_about() -> None:
    x = tg.Tensor(np.ones(1000), requires_grad=True)

    def run() -> None:
        x.grad = None
        with tg.explain.record(keep="arrays"):
            (x * x).sum().backward()

    run()
    gc.collect()
    gc.disable()
    try:
        before = len(recording._made_in)
        for _ in range(20):
            run()
        assert len(recording._made_in) == before
    finally:
        gc.enable()
