"""``tinygrad-cnn explain toolbox``: the lectures' reference code beside the chain rule and ours."""

import click

__all__ = ["toolbox"]


@click.command()
@click.option("--seed", type=int, default=0, show_default=True, help="Of images and weights.")
def toolbox(seed: int) -> int:
    """Run one convolution layer in three ways on the same numbers, and compare all they compute.

    By the chain rule, index by index; as DeepLearnToolbox does, with rot180, flipall, 'valid' and
    'full'; and with this library. Then, what comes out where a flip is forgotten.
    """
    import numpy as np

    from tinygrad_cnn import explain as explanations
    from tinygrad_cnn.errors import OptionError

    if seed < 0:
        raise OptionError(f"--seed: a seed is a whole number from 0 up; got {seed}")
    click.echo(str(explanations.toolbox_replay(np.random.default_rng(seed))))
    return 0
