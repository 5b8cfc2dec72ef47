"""How a table of paths calls the values of a run."""

from tinygrad_cnn.explain.graph_dump import GraphDump

__all__ = ["labels_of"]


def labels_of(graph: GraphDump) -> dict[int, str]:
    """Return how to call each value, by its key: its name, or what made or reads it."""
    labels: dict[int, str] = {}
    for step in graph.steps:
        for position, kept in enumerate(step.inputs):
            if kept.key not in labels:
                labels[kept.key] = kept.name or f"{step.label}.{step.rule.input_symbol(position)}"
        for kept, symbol in zip(step.outputs, step.rule.outputs, strict=False):
            several = len(step.outputs) > 1
            labels[kept.key] = kept.name or (f"{step.label}.{symbol}" if several else step.label)
    return labels
