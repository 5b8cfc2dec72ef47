"""Remarks under a story: what a reader of its lines should know beside them."""

from tinygrad_cnn.explain.recording import Step

__all__ = ["notes"]


def notes(steps: list[Step], recorded: bool) -> list[str]:
    """Return the remarks on a composite function, one sentence each."""
    remarks = [*_conventions(steps), *_linear_maps(steps), *_several_passes(steps)]
    return remarks + (_unrecorded_inputs(steps) if recorded else [])


def _conventions(steps: list[Step]) -> list[str]:
    """State, once each, the sub-gradient conventions of the elements that have one."""
    return list(dict.fromkeys(f"{s.name}: {s.convention}" for s in steps if s.convention))


def _linear_maps(steps: list[Step]) -> list[str]:
    """Name affine elements that follow each other with nothing non-linear in between."""
    made_by = {step.outputs[0].key: step for step in steps if step.name == "affine"}
    follows: dict[int, Step] = {}
    for step in made_by.values():
        before = made_by.get(step.inputs[0].key)
        if before is not None:
            follows[before.order] = step
    inner = {step.order for step in follows.values()}
    notes = []
    for step in steps:
        if step.order in follows and step.order not in inner:
            chain = [step]
            while (after := follows.get(chain[-1].order)) is not None:
                chain.append(after)
            size_in, size_out = (
                (kept.shape or (1,))[-1] for kept in (chain[0].inputs[0], chain[-1].outputs[0])
            )
            names = ", ".join(link.label for link in chain[:-1]) + f" and {chain[-1].label}"
            notes.append(
                f"{names} have nothing non-linear between them: together they are one linear "
                f"map from {size_in} to {size_out} values"
            )
    return notes


def _several_passes(steps: list[Step]) -> list[str]:
    """Name the leaves whose gradient adds up several backward passes."""
    notes: dict[int, str] = {}
    for step in steps:
        for position, kept in enumerate(step.inputs):
            if kept.grad_passes > 1:
                called = kept.name or step.rule.declared_symbol(position)
                notes[kept.key] = f"{called}.grad holds {kept.grad_passes} passes"
    return list(notes.values())


def _unrecorded_inputs(steps: list[Step]) -> list[str]:
    """Say so where a part of the composite function ran before the recording began."""
    made = {kept.key for step in steps for kept in step.outputs}
    before = {k.key for step in steps for k in step.inputs if not k.is_leaf} - made
    if not before:
        return []
    values = f"{len(before)} value" + ("s" if len(before) != 1 else "")
    return [f"{values} had been computed before the recording began: how is not told"]
