"""``tinygrad-cnn rules``: what every function element declares of itself."""

import click

__all__ = ["list_rules"]


@click.command(name="rules", short_help="List the rules of all function elements.")
@click.option("--form", default="text", show_default=True, help="text, or latex for Markdown.")
def list_rules(form: str) -> int:
    """List every function element: forward rule, error signals, sub-gradient convention."""
    from tinygrad_cnn.explain import rules

    click.echo(rules(form))
    return 0
