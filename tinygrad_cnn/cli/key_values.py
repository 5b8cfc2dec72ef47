"""Words of the form KEY=VALUE, as options take them."""

import ast
from collections.abc import Iterable
from typing import Any

import click

__all__ = ["key_values", "named_with_options"]


def key_values(words: Iterable[str], option: str) -> dict[str, Any]:
    """Return KEY=VALUE words as a dictionary; what reads as a number, True or False is one.

    Raises
    ------
    click.BadParameter
        If a word is written otherwise.

    Examples
    --------
    >>> key_values(["width=0.5", "stride_in=1x1"], "--option")
    {'width': 0.5, 'stride_in': '1x1'}
    """
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise click.BadParameter(
                f"An option is written KEY=VALUE; got {word!r}.",
                click.get_current_context(silent=True),
                param_hint=option,
            )
        try:
            found[key] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            found[key] = value
    return found


def named_with_options(words: Iterable[str], option: str) -> tuple[tuple[str, Any], ...] | None:
    """Return words such as ``random-crop:padding=4,repeat=True`` as names with options.

    Returns
    -------
    tuple of (str, dict), or None
        None without any word; an empty tuple for the one word ``none``.

    Examples
    --------
    >>> named_with_options(["random-crop:padding=4", "random-flip"], "--augment")
    (('random-crop', {'padding': 4}), ('random-flip', {}))
    >>> named_with_options(["none"], "--augment")
    ()
    """
    listed = list(words)
    if not listed:
        return None
    if listed == ["none"]:
        return ()
    rows = []
    for word in listed:
        name, _, options = word.partition(":")
        rows.append((name, key_values(filter(None, options.split(",")), option)))
    return tuple(rows)
