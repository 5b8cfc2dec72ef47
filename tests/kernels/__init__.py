"""Every registered kernel against oracles that share no code with it."""
