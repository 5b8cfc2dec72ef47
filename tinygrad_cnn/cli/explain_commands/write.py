"""``tinygrad-cnn explain write``: the run as a page, a picture, tables, LaTeX, DOT or JSON."""

from pathlib import Path
from typing import Any

import click

from tinygrad_cnn.cli.explain_commands.at_work import at_work
from tinygrad_cnn.cli.explain_commands.explained_run import explained_run_options, prepare
from tinygrad_cnn.cli.explain_commands.target import require_folder

__all__ = ["write"]


@click.command()
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
    require_folder("explain write", file)
    with at_work(asked["model"]):
        run = prepare(**asked)
        with explanations.record():
            loss = run.once()
        graph = explanations.dump(loss, run.told)
        if file.suffix == ".json":
            graph.save(file)
        elif file.suffix == ".txt":
            write_atomically(
                file, f"{explanations.story(graph)}\n".encode(), operation="explain write"
            )
        else:
            text = drawn[file.suffix](graph, folded=not unfolded)
            write_atomically(file, text.encode(), operation="explain write")
    click.echo(f"{run.told}: {len(graph.steps)} elements written to {file}")
    return 0
