"""The paths by which an error signal comes: how many, how long, and how much by each."""
