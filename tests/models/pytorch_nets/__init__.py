"""The same networks in plain PyTorch, written from the papers' tables; modules import torch."""
