"""Why gradients and difference quotients disagree: a wrong rule, rounding, or a kink."""
