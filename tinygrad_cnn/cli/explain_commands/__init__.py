"""The commands of ``tinygrad-cnn explain``: one module each."""
