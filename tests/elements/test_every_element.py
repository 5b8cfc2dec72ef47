"""The contract of every element, over rows of cases and over the registry."""

import pkgutil
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import elements
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.graph import Node, elements_behind

from .cases import CASES, RECORDED_BACKWARD_OF, Case
from .oracles import difference_quotient

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_element = pytest.mark.parametrize("name", sorted(ELEMENTS))
smooth_or_not = [case for case in CASES if case.twice]
with_images = [case for case in CASES if len(case.inputs[0].shape) == 4]
with_batch = [case for case in CASES if case.batched]


def wrapped(array: Any, requires_grad: bool = True) -> tg.Tensor:
    """Return a Tensor around this very array: no copy, so its layout and flags stay."""
    wants = requires_grad and array.dtype.kind == "f"
    node = Node(array.shape, array.dtype, "cpu", requires_grad=wants)
    return tg.Tensor.wrap(array, node)


def cotangent_for(result: tg.Tensor, seed: int = 5) -> Any:
    generator = np.random.default_rng(seed)
    return generator.normal(size=result.shape).astype(result.dtype)


def run(case: Case, arrays: list[Any]) -> tuple[tg.Tensor, list[Any], list[Any]]:
    """Return the output, the cotangent that was sent back, and the gradients."""
    tensors = [wrapped(array) for array in arrays]
    result = case.run(*tensors)
    cotangent = cotangent_for(result)
    result.backward(tg.Tensor(cotangent))
    return result, cotangent, [None if t.grad is None else t.grad.numpy() for t in tensors]


def in_float32(arrays: list[Any]) -> list[Any]:
    return [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays]


def assert_same_bits(ours: list[Any], others: list[Any]) -> None:
    for mine, other in zip(ours, others, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            np.testing.assert_array_equal(mine, other, strict=True)


# -- values and gradients --------------------------------------------------------------


@every_case
def test_forward_equals_the_oracle(case: Case) -> None:
    arrays = case.draw()
    result = case.run(*map(wrapped, arrays))
    expected = case.expect(*arrays)
    assert result.shape == np.shape(expected)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12, atol=1e-13)


@every_case
def test_gradient_equals_central_differences_of_the_oracle(case: Case) -> None:
    arrays = case.draw()
    _, cotangent, grads = run(case, arrays)
    for position, array in enumerate(arrays):
        if array.dtype.kind != "f":
            assert grads[position] is None
            continue
        slopes = difference_quotient(case.expect, arrays, position, cotangent)
        np.testing.assert_allclose(grads[position], slopes, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("case", smooth_or_not, ids=str)
def test_second_derivatives_equal_differences_of_the_first(case: Case) -> None:
    tensors = [wrapped(array) for array in case.draw()]
    if case.keeps_dtype:
        tg.gradgradcheck(case.run, *tensors)


def second_derivatives(
    case: Case, signal_is_constant: bool = False, one_by_one: bool = False
) -> list[Any]:
    """Return the derivatives of the gradients, weighed with drawn factors."""
    tensors = [wrapped(array) for array in case.draw()]
    leaves = [tensor for tensor in tensors if tensor.requires_grad]
    result = case.run(*tensors)
    signal = tg.Tensor(cotangent_for(result), requires_grad=not signal_is_constant)
    asked = [[leaf] for leaf in leaves] if one_by_one else [leaves]
    firsts = [
        found
        for some in asked
        for found in tg.grad(result, some, signal, create_graph=True, allow_unused=True)
    ]
    parts = [(g * tg.Tensor(cotangent_for(g, seed=8))).sum() for g in firsts if g is not None]
    total = sum(parts, start=tg.Tensor(np.zeros(())))
    if not total.requires_grad:
        return [None] * len(leaves)
    return list(tg.grad(total, leaves, allow_unused=True))


@every_case
def test_second_derivatives_do_not_ask_whether_the_error_signal_is_constant(case: Case) -> None:
    assert_same(second_derivatives(case), second_derivatives(case, signal_is_constant=True))


@every_case
def test_second_derivatives_do_not_ask_which_gradients_were_wanted(case: Case) -> None:
    """A walk to one input alone takes other ways, and its record has to say as much."""
    assert_same(second_derivatives(case), second_derivatives(case, one_by_one=True))


def assert_same(some: list[Any], others: list[Any]) -> None:
    """Compare derivatives, where None stands for zeros."""
    for one, other in zip(some, others, strict=True):
        for mine, twin in ((one, other), (other, one)):
            if mine is not None:
                expected = np.zeros(mine.shape) if twin is None else twin.numpy()
                np.testing.assert_allclose(mine.numpy(), expected, rtol=1e-12, atol=1e-13)


@every_case
def test_float32_is_close_to_float64(case: Case) -> None:
    arrays = case.draw()
    exact, cotangent, exact_grads = run(case, arrays)
    tensors = [wrapped(array) for array in in_float32(arrays)]
    result = case.run(*tensors)
    result.backward(tg.Tensor(cotangent.astype(result.dtype)))
    np.testing.assert_allclose(result.numpy(), exact.numpy(), rtol=2e-5, atol=2e-5)
    for tensor, grad in zip(tensors, exact_grads, strict=True):
        if grad is not None:
            np.testing.assert_allclose(tensor.grad.numpy(), grad, rtol=2e-5, atol=2e-5)


@every_case
def test_dtype_is_kept(case: Case) -> None:
    arrays = in_float32(case.draw())
    result, _, grads = run(case, arrays)
    if case.keeps_dtype:
        assert result.dtype == np.float32
    assert all(g is None or g.dtype == np.float32 for g in grads)


# -- what happens to inputs ------------------------------------------------------------


@every_case
def test_inputs_are_left_untouched(case: Case) -> None:
    arrays = case.draw()
    before = [array.copy() for array in arrays]
    run(case, arrays)
    assert_same_bits(arrays, before)


@every_case
def test_strided_and_read_only_inputs_give_the_same(case: Case) -> None:
    arrays = case.draw()
    odd = []
    for array in arrays:
        spaced = np.full([2 * size for size in array.shape], 99, array.dtype)
        view = spaced[(*(slice(None, None, 2) for _ in array.shape), ...)]
        view[...] = array
        view.flags.writeable = False
        odd.append(view)
    plain, strange = run(case, arrays), run(case, odd)
    np.testing.assert_allclose(strange[0].numpy(), plain[0].numpy(), rtol=1e-13, atol=1e-14)
    for mine, other in zip(strange[2], plain[2], strict=True):
        if other is not None:
            np.testing.assert_allclose(mine, other, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("case", with_images, ids=str)
def test_layout_in_memory_does_not_change_a_bit(case: Case) -> None:
    arrays = case.draw()
    turned = [
        np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if a.ndim == 4 else a
        for a in arrays
    ]
    plain, strange = run(case, arrays), run(case, turned)
    assert_same_bits([strange[0].numpy()], [plain[0].numpy()])
    if case.id == "images-and-channels":  # the sum over repeats runs in the order of memory
        np.testing.assert_allclose(strange[2][1], plain[2][1], rtol=1e-14)
    else:
        assert_same_bits(strange[2], plain[2])


@every_case
def test_a_repeat_gives_the_same_bits(case: Case) -> None:
    arrays = case.draw()
    first, second = run(case, arrays), run(case, arrays)
    assert_same_bits([first[0].numpy(), *first[2]], [second[0].numpy(), *second[2]])


@every_case
def test_no_gradient_where_none_was_asked(case: Case) -> None:
    arrays = case.draw()
    floats = [k for k, array in enumerate(arrays) if array.dtype.kind == "f"]
    _, cotangent, all_grads = run(case, arrays)
    for asked in floats:
        tensors = [wrapped(array, k == asked) for k, array in enumerate(arrays)]
        case.run(*tensors).backward(tg.Tensor(cotangent))
        assert [k for k, t in enumerate(tensors) if t.grad is not None] == [asked]
        np.testing.assert_array_equal(tensors[asked].grad.numpy(), all_grads[asked])


@every_case
def test_without_any_gradient_asked_nothing_is_recorded(case: Case) -> None:
    result = case.run(*(wrapped(array, requires_grad=False) for array in case.draw()))
    assert result.creator is None
    assert not result.requires_grad


@every_case
def test_nan_stays_nan(case: Case) -> None:
    arrays = case.draw()
    if case.id == "nothing":  # an empty selection
        return
    picked = np.ones(arrays[0].shape, bool)
    reached = case.expect(np.where(picked, np.nan, 0.0), *arrays[1:])
    arrays[0][...] = np.nan
    result = case.run(*map(wrapped, arrays)).numpy()
    np.testing.assert_array_equal(np.isnan(result), np.isnan(reached))


# -- batches ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", with_batch, ids=str)
def test_a_batch_of_one_is_a_batch(case: Case) -> None:
    arrays = [a[:1] if k in case.batched else a for k, a in enumerate(case.draw())]
    result, cotangent, grads = run(case, arrays)
    np.testing.assert_allclose(result.numpy(), case.expect(*arrays), rtol=1e-12, atol=1e-13)
    for position, grad in enumerate(grads):
        if grad is not None:
            slopes = difference_quotient(case.expect, arrays, position, cotangent)
            np.testing.assert_allclose(grad, slopes, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("case", with_batch, ids=str)
def test_an_empty_batch_gives_zero_gradients(case: Case) -> None:
    arrays = [a[:0] if k in case.batched else a for k, a in enumerate(case.draw())]
    result, _, grads = run(case, arrays)
    if result.shape:
        assert result.shape[0] == 0
    elif case.options.get("reduction") == "mean" and case.elements != "squared_error":
        assert np.isnan(result.item())  # the mean of nothing
    else:
        assert result.item() == 0.0
    for array, grad in zip(arrays, grads, strict=True):
        if grad is not None:
            assert grad.shape == array.shape
            assert not grad.any()


# -- what elements declare -------------------------------------------------------------


def test_every_element_has_rows() -> None:
    covered = {name for case in CASES for name in case.elements.split()}
    missing = set(ELEMENTS) - covered - set(RECORDED_BACKWARD_OF)
    assert not missing, f"without rows in cases: {', '.join(sorted(missing))}"
    assert covered <= set(ELEMENTS)


def test_every_module_of_elements_stands_in_their_table() -> None:
    listed: set[str] = set()
    for word in re.findall(r"`([a-z0-9_…]+)`", str(elements.__doc__)):
        if not word.startswith("…"):
            family = word
        listed.add(word.replace("…", family))
    assert listed == {module.name for module in pkgutil.iter_modules(elements.__path__)}


def test_every_function_has_rows() -> None:
    from . import cases

    direct = {case.function for case in CASES}
    through = {F.concatenate: cases.joined, F.stack: cases.stacked}
    missing = [
        name for name in F.__all__ if through.get(getattr(F, name), getattr(F, name)) not in direct
    ]
    assert not missing, f"without rows in cases: {', '.join(missing)}"


@pytest.mark.parametrize(("gradient", "element"), sorted(RECORDED_BACKWARD_OF.items()))
def test_gradient_elements_are_recorded_where_the_table_says(gradient: str, element: str) -> None:
    found: set[str] = set()
    for case in CASES:
        if element not in case.elements.split() or not case.twice:
            continue
        tensors = [wrapped(array) for array in case.draw()]
        result = case.run(*tensors)
        seed = wrapped(cotangent_for(result))
        result.backward(seed, create_graph=True)
        for first in [t.grad for t in tensors if t.grad is not None]:
            found |= {e.name for e in elements_behind(first.node)}
            seed.zero_grad()
            if first.requires_grad:
                first.backward(wrapped(cotangent_for(first)), create_graph=True)
                if seed.grad is not None:
                    found |= {e.name for e in elements_behind(seed.grad.node)}
    assert gradient in found


@every_element
def test_rules_resolve_with_symbols_and_with_numbers(name: str) -> None:
    rule = ELEMENTS[name].rule
    symbols = [s for s in (*rule.inputs, *rule.outputs) if s != "..."]
    numbers = dict.fromkeys(symbols, "7.25") | {f"δ{s}": "-0.5" for s in symbols}
    texts = [rule.forward_text(), *(rule.backward_text(s) for s in rule.backward)]
    filled = [rule.forward_text(numbers), *(rule.backward_text(s, numbers) for s in rule.backward)]
    for text in (*texts, *filled):
        assert "{" not in text
        assert text.strip()
    assert texts[0].startswith(f"{rule.outputs[0]} = ")
    assert all("7.25" in text or "-0.5" in text for text in filled[1:])


@every_element
def test_latex_is_there_and_its_braces_balance(name: str) -> None:
    rule = ELEMENTS[name].rule
    assert rule.latex
    assert set(rule.latex_backward) == set(rule.backward)
    for text in (rule.latex, *rule.latex_backward.values()):
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", text):
            depth += 1 if brace == "{" else -1
            assert depth >= 0, text
        assert depth == 0, text
        assert "\t" not in text  # an escape that was meant as LaTeX
        assert "\r" not in text


@every_element
def test_saved_values_are_declared_symbols(name: str) -> None:
    element = ELEMENTS[name]
    declared = {*element.rule.inputs, *element.rule.outputs}
    assert set(element.saves) <= set(element.rule.inputs)
    for symbols in element.saves.values():
        assert set(symbols) <= declared


@every_element
def test_an_element_explains_itself(name: str) -> None:
    element = ELEMENTS[name]
    assert element.__name__.endswith("Element")
    assert element.__doc__
    assert element.__doc__.strip() != FunctionElement.__doc__
    assert element.backward is not FunctionElement.backward


@every_case
def test_a_rule_stands_for_every_input_that_gets_a_gradient(case: Case) -> None:
    tensors = [wrapped(array) for array in case.draw()]
    element = case.run(*tensors).creator
    for position, node in enumerate(element.inputs):
        if node.requires_grad:
            assert element.rule.declared_symbol(position) in element.rule.backward


@every_case
def test_who_says_so_answers_in_memory_of_its_own(case: Case) -> None:
    result = case.run(*[wrapped(array) for array in case.draw()])
    for element in elements_behind(result.node):
        if not element.answers_anew:
            continue
        nodes = [ref() or result.node for ref in element.outputs]
        signals = tuple(tg.Tensor(np.ones(node.shape, node.dtype)) for node in nodes)
        with tg.no_grad():
            answers = [each._value for each in element.propagate(signals) if each is not None]
        others = [signal._value for signal in signals]
        others += [value for value, *_ in element._saved.values()]
        for k, answer in enumerate(answers):
            assert answer.flags.writeable
            assert not any(np.shares_memory(answer, one) for one in (*answers[:k], *others))


@every_case
def test_cost_counts_what_is_done(case: Case) -> None:
    tensors = [wrapped(array) for array in case.draw()]
    result = case.run(*tensors)
    outermost = result.creator
    found = [e for e in elements_behind(result.node) if e.name == case.elements.split()[0]]
    assert found, outermost
    element = found[-1]
    outputs = [ref() or result.node for ref in element.outputs]
    cost = element.cost(element.inputs, outputs)
    works = [cost.forward, *cost.gradients.values()]
    assert all(work.multiply_adds >= 0 and work.bytes >= 0 for work in works)
    assert cost.forward.bytes == sum(
        int(np.prod(node.shape)) * node.dtype.itemsize for node in (*element.inputs, *outputs)
    )
    if case.multiply_adds:
        assert cost.forward.multiply_adds == case.multiply_adds
        weighty = [cost.gradients[s] for s in cost.gradients if s != "bias"]
        assert all(work.multiply_adds == case.multiply_adds for work in weighty)
