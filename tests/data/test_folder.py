"""ImageFolder: classes from folders, images from files, and files that are none."""

import io
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_cnn.data import DataLoader, ImageFolder
from tinygrad_cnn.data.folder import open_image
from tinygrad_cnn.errors import DataError, MissingDataError, OptionError, ShapeError

Image = pytest.importorskip("PIL.Image")
GENERATOR = np.random.default_rng(0)


def picture(mode="RGB", size=(6, 5)):
    """Return a Pillow image of random pixels; size is width and height."""
    shape = {"RGB": (3,), "RGBA": (4,), "LA": (2,), "L": (), "CMYK": (4,)}[mode]
    pixels = GENERATOR.integers(0, 256, (size[1], size[0], *shape), np.uint8)
    return Image.fromarray(pixels, mode) if mode == "CMYK" else Image.fromarray(pixels)


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.fixture
def animals(tmp_path):
    for name in ("dog/b.png", "dog/a.PNG", "cat/z.bmp", "cat/deeper/a.png", "cat/deeper/B/c.png"):
        save(tmp_path / name, picture())
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "readme.png").write_text("in no class")
    return tmp_path


def test_classes_and_files_are_sorted_as_in_torchvision(animals):
    dataset = ImageFolder(animals)
    assert dataset.classes == ["cat", "dog"]
    assert dataset.class_names == ("cat", "dog")
    assert dataset.class_to_idx == {"cat": 0, "dog": 1}
    assert [(str(path.relative_to(animals)), label) for path, label in dataset.samples] == [
        ("cat/z.bmp", 0),
        ("cat/deeper/a.png", 0),
        ("cat/deeper/B/c.png", 0),
        ("dog/a.PNG", 1),
        ("dog/b.png", 1),
    ]
    assert dataset.targets == [0, 0, 0, 1, 1]
    assert len(dataset) == 5
    assert "images=5, classes=2, mode='RGB'" in repr(dataset)


def test_an_image_is_read_when_it_is_asked_for(animals):
    dataset = ImageFolder(str(animals))
    path, _ = dataset.samples[-1]
    new = picture(size=(4, 3))
    save(path, new)
    image, label = dataset[-1]
    assert (image.dtype, image.shape, label) == (np.uint8, (3, 3, 4), 1)
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, np.asarray(new).transpose(2, 0, 1))
    assert [label for _, label in dataset] == [0, 0, 0, 1, 1]
    with pytest.raises(IndexError, match=r"lies in \[-5, 5\); got 5"):
        dataset[5]


def test_a_transform_is_given_the_pillow_image(animals):
    dataset = ImageFolder(animals, transform=lambda image: (image.mode, image.size))
    assert dataset[0] == (("RGB", (6, 5)), 0)
    grey = ImageFolder(animals, mode="L")
    assert grey[0][0].shape == (1, 5, 6)


def test_images_of_one_size_are_read_into_memory(animals):
    dataset = ImageFolder(animals)
    whole = dataset.in_memory()
    assert whole.images.shape == (5, 3, 5, 6)
    assert whole.class_names == ("cat", "dog")
    np.testing.assert_array_equal(whole.labels, dataset.targets)
    np.testing.assert_array_equal(whole.images, [image for image, _ in dataset])


def test_images_of_several_sizes_are_named(animals):
    save(animals / "dog" / "b.png", picture(size=(7, 5)))
    with pytest.raises(ShapeError, match=r"got \(3, 5, 6\) in .*z.bmp and \(3, 5, 7\) in .*b.png"):
        ImageFolder(animals).in_memory()
    resized = ImageFolder(
        animals, lambda image: np.asarray(image.resize((4, 4))).transpose(2, 0, 1)
    )
    assert resized.in_memory().images.shape == (5, 3, 4, 4)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "RGB"])
def test_every_kind_of_image_becomes_three_channels(tmp_path, mode):
    image = picture(mode)
    read = open_image(save(tmp_path / "image.png", image))
    np.testing.assert_array_equal(np.asarray(read), np.asarray(image.convert("RGB")))


def test_palettes_and_four_inks_are_looked_up(tmp_path):
    image = picture().quantize(8)
    read = open_image(save(tmp_path / "image.png", image, transparency=b"\0\xff\x80"))
    np.testing.assert_array_equal(np.asarray(read), np.asarray(image.convert("RGB")))
    save(tmp_path / "image.jpg", Image.new("CMYK", (8, 8)))
    assert open_image(tmp_path / "image.jpg").mode == "RGB"


def png(**options):
    stream = io.BytesIO()
    picture(size=(40, 40)).save(stream, "PNG", **options)
    return stream.getvalue()


DAMAGES = {
    "text": (b"<html>", "an image file is of a known format; got another"),
    "nothing": (b"", "an image file is of a known format; got another"),
    "cut off": (png()[:1000], "an image file is read without error; got .*truncated"),
    "a changed byte": (png()[:500] + b"?" + png()[501:], "an image file is read without error"),
    "a header alone": (png()[:60], "an image file"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_image_is_named(animals, content, message):
    path = animals / "dog" / "b.png"
    path.write_bytes(content)
    dataset = ImageFolder(animals)
    for read in (lambda: dataset[4], dataset.in_memory):
        with pytest.raises(DataError, match=f"open_image: {message}") as caught:
            read()
        assert str(caught.value).endswith(f" in {path}")
        assert "\n" not in str(caught.value)


def test_a_jpeg_that_ends_early_is_named(tmp_path):
    path = save(tmp_path / "image.jpg", picture(size=(64, 64)))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"read without error; got .*truncated.* in .*image\.jpg"):
        open_image(path)


def test_more_than_eight_bits_are_refused(tmp_path):
    deep = Image.fromarray(np.full((4, 4), 40000, np.uint16))
    with pytest.raises(DataError, match=r"a channel has 8 bits; got pixels of mode I;16 in .*png"):
        open_image(save(tmp_path / "deep.png", deep))


def test_an_image_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "large.png", picture(size=(30, 30)))
    for limit in (800, 400):  # Pillow warns above its limit, and refuses twice as much
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataError, match="an image has a bearable size; got Image size"):
            open_image(path)


def test_what_is_no_set_of_images_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match=r"the folder exists; got no folder at .*absent"):
        ImageFolder(tmp_path / "absent")
    with pytest.raises(DataError, match=r"one folder for each class; got none in .*Move the "):
        ImageFolder(tmp_path)
    save(tmp_path / "cat" / "one.png", picture())
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match=r"each class has an image, .jpg, .*; got none in .*dog$"):
        ImageFolder(tmp_path)
    with pytest.raises(OptionError, match="mode is one of RGB, L; got 'CMYK'"):
        ImageFolder(tmp_path, mode="CMYK")
    with pytest.raises(MissingDataError, match="the file exists; got no file at"):
        open_image(tmp_path / "absent.png")


def test_without_pillow_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(OptionError, match=r"pip install 'tinygrad_cnn\[images\]'"):
        ImageFolder(tmp_path)


def test_importing_the_data_layer_does_not_import_pillow():
    program = "import sys, tinygrad_cnn.data; assert 'PIL' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_makes_batches_of_it(animals, workers):
    loader = DataLoader(ImageFolder(animals), batch_size=2, num_workers=workers)
    batches = [(images.shape, labels.tolist()) for images, labels in loader]
    assert batches == [((2, 3, 5, 6), [0, 0]), ((2, 3, 5, 6), [0, 1]), ((1, 3, 5, 6), [1])]


def test_a_damaged_image_is_named_by_a_loader_too(animals):
    path = animals / "cat" / "z.bmp"
    path.write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"known format; got another .*z\.bmp"):
        list(DataLoader(ImageFolder(animals), batch_size=2, num_workers=2))
