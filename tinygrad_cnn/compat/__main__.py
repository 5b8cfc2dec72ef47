"""Write the page of all names: ``python -m tinygrad_cnn.compat``."""

from pathlib import Path

from tinygrad_cnn.compat.listing import page

if __name__ == "__main__":
    path = Path(__file__).with_name("NAMES.md")
    path.write_text(page(), encoding="utf-8")
    print(path)
