"""``tinygrad-cnn explain``: one forward and backward pass of a network, told and written down."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explained_run import explained_run_options, prepare

__all__ = ["explain"]


class _StoryByDefault(click.Group):
    """A group whose first command may be left out: ``explain lenet5`` tells the story."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = ["story", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_StoryByDefault,
    short_help="Explain a forward and a backward pass, element by element.",
)
def explain() -> None:
    """Run a network, with freshly drawn weights, on some test images, and explain the run.

    "tinygrad-cnn explain lenet5" is short for "tinygrad-cnn explain story lenet5".
    """


@explain.command(short_help="Every element in execution order, forward and backward.")
@explained_run_options
@click.option(
    "--columns",
    metavar="LIST",
    default="",
    help="Also show time, bytes, multiply-adds, kernel (with commas).",
)
@click.option("--structure", is_flag=True, help="The elements and their rules, without figures.")
def story(columns: str, structure: bool, **asked: Any) -> int:
    """Tell the story of MODEL's forward and backward pass.

    One line for each element in execution order: shapes, rule, least and largest value and
    share of zeros; then backward: norms of the error signals, gain, parameter gradients.

    Images are brought to the size that the network takes; grey ones stand in all three colours
    where it takes three. A large network takes its time: --twin is quick.

    Examples: "tinygrad-cnn explain lenet5 --activation relu --columns time,kernel",
    "tinygrad-cnn explain vgg16 --twin".
    """
    from tinygrad_cnn import explain as explanations

    columns_asked = tuple(column.strip() for column in columns.split(",") if column.strip())
    run = prepare(**asked)
    if structure:
        text = explanations.story(run.once(), columns_asked)
    else:
        if "time" in columns_asked:
            run.once()  # compiles, so that the times are those of the kernels
            run.network.zero_grad()
        with explanations.record():
            loss = run.once()
        text = explanations.story(loss, columns_asked)
    click.echo(f"{run.told}\n\n{text}")
    return 0


@explain.command(short_help="The run as a page, a picture, tables, LaTeX, DOT or JSON.")
@explained_run_options
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--unfolded", is_flag=True, help="Every block by itself, and none times N.")
def write(file: Path, unfolded: bool, **asked: Any) -> int:
    """Write the run of MODEL to FILE, in the form that its ending names.

    .html is a page to open from disk: the network as a picture, and behind each element its rules,
    figures, cost, kernels and source line. .svg is the picture alone, .md tables, .tex the rules,
    .dot a graph for graphviz, .txt the story, and .json the document that all of them are made of.

    Example: "tinygrad-cnn explain write resnet20 resnet20.html --twin".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.atomic import write_atomically
    from tinygrad_cnn.errors import OptionError

    drawn: dict[str, Any] = {
        ".html": explanations.page,
        ".svg": explanations.svg,
        ".md": explanations.markdown,
        ".tex": explanations.latex,
        ".dot": explanations.dot,
    }
    if file.suffix not in (*drawn, ".txt", ".json"):
        raise OptionError(
            f"explain write: a file ends in {', '.join(drawn)}, .txt or .json; got {str(file)!r}"
        )
    run = prepare(**asked)
    with explanations.record():
        loss = run.once()
    graph = explanations.dump(loss, run.told)
    if file.suffix == ".json":
        graph.save(file)
    elif file.suffix == ".txt":
        write_atomically(file, f"{explanations.story(graph)}\n".encode(), operation="explain write")
    else:
        text = drawn[file.suffix](graph, folded=not unfolded)
        write_atomically(file, text.encode(), operation="explain write")
    click.echo(f"{run.told}: {len(graph.steps)} elements written to {file}")
    return 0


@explain.command(short_help="What two runs written as .json differ in.")
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def diff(before: Path, after: Path) -> int:
    """Compare the runs BEFORE and AFTER, as "explain write MODEL FILE.json" left them.

    Elements that came or went, other options, shapes, rules and kernels, and figures of values and
    error signals that moved.
    """
    from tinygrad_cnn.explain import GraphDump, difference

    click.echo(str(difference(GraphDump.load(before), GraphDump.load(after))))
    return 0


_INDEX = click.option(
    "--index", metavar="LIST", default=None, help="One number of it, such as 2,0,1,1; from 0."
)


@explain.command(short_help="The chain rule from the loss to a parameter or error signal.")
@explained_run_options
@click.argument("value")
@_INDEX
@click.option("--numbers", is_flag=True, help="With the recorded numbers.")
@click.option("--complete", is_flag=True, help="Long sums in full, each error signal derived.")
@click.option("--form", default="text", help="text, markdown, latex or python.", show_default=True)
def derive(
    value: str, index: str | None, numbers: bool, complete: bool, form: str, **asked: Any
) -> int:
    """Write out the chain rule of MODEL's run from the loss to VALUE.

    VALUE is a parameter such as C3.weight, or a layer such as C3, whose error signal is meant.
    Each line is evaluated and compared with what the kernels computed.

    Example: "tinygrad-cnn explain derive lenet5 C3.weight --index 2,0,1,1 --batch-size 2".
    """
    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError

    forms = ("text", "markdown", "latex", "python")
    if form not in forms:
        raise OptionError(f"--form: it is one of {', '.join(forms)}; got {form!r}")
    place = _place(index)
    run = prepare(**asked)
    with explanations.record(keep="arrays"):
        loss = run.once()
    found = explanations.derive(loss, value, place, numbers=numbers, complete=complete)
    click.echo(getattr(found, form)())
    found.check()
    return 0


@explain.command(short_help="One number, taken apart into scalars.")
@explained_run_options
@click.argument("value")
@_INDEX
def zoom(value: str, index: str | None, **asked: Any) -> int:
    """Expand one number of VALUE into a graph of scalars, and compare every partial derivative.

    VALUE is a layer such as C3, of whose output the number is, or a parameter, of whose gradient.

    Example: "tinygrad-cnn explain zoom lenet5 C3 --index 0,2,4,5 --batch-size 1".
    """
    from tinygrad_cnn import explain as explanations

    place = _place(index)
    run = prepare(**asked)
    with explanations.record(keep="arrays"):
        loss = run.once()
    found = explanations.zoom(loss, value, () if place is None else place)
    click.echo(found.text())
    found.check()
    return 0


@explain.command(short_help="The paths that the error signal came by.")
@explained_run_options
def paths(**asked: Any) -> int:
    """Tell by which paths MODEL's error signals came.

    At each value that several elements read, the share of its error signal that each of them sent;
    and the number of paths of the chain rule from the loss to each parameter.

    Example: "tinygrad-cnn explain paths resnet20 --twin".
    """
    from tinygrad_cnn import explain as explanations

    run = prepare(**asked)
    with explanations.record():
        loss = run.once()
    click.echo(f"{run.told}\n\n{explanations.fan_ins(loss)}\n\n{explanations.count_paths(loss)}")
    return 0


def _place(index: str | None) -> tuple[int, ...] | None:
    """Return an index that was given as numbers with commas."""
    from tinygrad_cnn.errors import OptionError

    if index is None:
        return None
    try:
        return tuple(int(number) for number in index.split(","))
    except ValueError:
        raise OptionError(
            f"--index: it is whole numbers with commas, such as 2,0,1,1; got {index!r}"
        ) from None
