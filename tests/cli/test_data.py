import re
from pathlib import Path
from typing import Any

import pytest

from tinygrad_cnn import data
from tinygrad_cnn.cli import main


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be found or fetched but what a test lays down."""
    monkeypatch.delenv("TINYGRAD_CNN_DATA", raising=False)
    monkeypatch.setenv("TINYGRAD_CNN_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_the_list_has_every_data_set(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--data-dir", str(data_dir)]) == 0
    heading, _, *lines = capsys.readouterr().out.splitlines()
    assert re.split(r"  +", heading.strip()) == [
        "name", "title", "images", "size", "classes", "licence", "to fetch", "here"
    ]  # fmt: skip
    rows = {line.split()[0]: re.split(r"  +", line.strip()) for line in lines}
    assert tuple(rows) == data.names()
    assert rows["mnist"][1:] == [
        "MNIST", "60,000 + 10,000", "28x28 grey", "10", "CC BY-SA 3.0", "11.6 MB",
        str(data_dir / "mnist"),
    ]  # fmt: skip
    assert rows["cifar10"][-1] == "no"
    assert rows["digits"][-1] == "with the package"


DESCRIBED = [
    (["mnist"], [r"^mnist: MNIST$", r"here +no$", r"looked in +.*cache", r"licence +CC BY-SA"]),
    (["about", "mnist"], [r"^mnist: MNIST$"]),
    (["digits"], [r"images +1,438 \+ 359", r"splits +interleaved \(described here\), writers"]),
    (["digits", "--split", "writers"], [r"images +1,437 \+ 360", r"writers \(described here\)"]),
    (["cifar100", "--split", "coarse"], [r"classes +20: aquatic_mammals, fish"]),
    (["cifar100"], [r"checksum +not measured by us: cifar-100-python\.tar\.gz: md5:"]),
    (["folder"], [r"images +yours$", r"here +name it by --data-dir"]),
]


@pytest.mark.parametrize(("arguments", "lines"), DESCRIBED)
def test_descriptions(
    arguments: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *arguments]) == 0
    told = capsys.readouterr().out
    for line in lines:
        assert re.search(line, told, re.MULTILINE), told


def test_a_folder_of_one_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(5):
            image.new("RGB", (9, 7), (40 * number, 9 * number, number)).save(
                f"own/{name}/{number}.png"
            )
    assert main(["data", "folder", "--data-dir", "own"]) == 0
    told = capsys.readouterr().out
    assert "8 + 2, for training and for the test" in told
    assert "2: cat, dog" in told
    assert main(["data", "show", "folder", "--data-dir", "own", "--test"]) == 0
    assert capsys.readouterr().out == "2 of 2 test images of folder: folder.png\n"


def test_what_is_here_is_not_fetched(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "fetch", "mnist", "--data-dir", str(data_dir)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(Path(line).parent == data_dir / "mnist" for line in lines)
    assert main(["data", "fetch", "digits"]) == 0
    assert capsys.readouterr().out == "digits needs no files that could be fetched\n"


def test_fetching_tells_each_file_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(name: str, data_dir: Any, split: Any, progress: Any) -> tuple[Path, ...]:
        for here in (0, 500, 1000):
            progress("a.gz", here, 1000)
        progress("b.gz", 70, None)
        return Path("a.gz"), Path("b.gz")

    monkeypatch.setattr(data, "fetch", fetch)
    assert main(["data", "fetch", "mnist"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "fetching a.gz, 1.0 kB", "fetching b.gz", "a.gz", "b.gz"
    ]  # fmt: skip


@pytest.mark.parametrize("options", [[], ["--test", "--images", "7"], ["--to", "deep.png"]])
def test_a_page_of_examples(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "show", "digits", *options]) == 0
    name = "deep.png" if "--to" in options else "digits.png"
    told = "7 of 359 test" if "--test" in options else "60 of 1,438 training"
    assert capsys.readouterr().out == f"{told} images of digits: {name}\n"
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


REFUSED = [
    ("minst", r"known names are cifar10, .*got 'minst'\. Did you mean 'mnist'"),
    ("fetch minst", r"known names are .*got 'minst'"),
    ("show minst", r"known names are .*got 'minst'"),
    ("fetch", r"Missing argument 'NAME'"),
    ("show", r"Missing argument 'NAME'"),
    ("fetch mnist", r"the 4 files of MNIST are needed"),
    ("show mnist", r"the 4 files of MNIST are needed"),
    ("mnist --split x", r"split of mnist is one of published; got 'x'"),
    ("fetch mnist --split x", r"split of mnist is one of published; got 'x'"),
    ("show digits --images 0", r"0 is not in the range"),
    ("show digits --to no/where.png", r"no/where\.png has to be written; got No such file"),
    ("show folder", r"images lie in a folder; got none"),
    ("--data-dir x mnist", r"Write --data-dir last"),
    ("mnist fashion_mnist", r"unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refusals_are_one_line_and_leave_nothing_behind(
    arguments: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *arguments.split()]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("tinygrad-cnn: ")
    assert told.err.count("\n") == 1
    assert re.search(message, told.err), told.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_counts_of_bytes() -> None:
    from tinygrad_cnn.cli.data import _size

    assert [_size(count) for count in (None, 0, 1, 1000, 10**6, 5 * 10**9)] == [
        "unknown", "nothing", "1 B", "1.0 kB", "1.0 MB", "5.0 GB"
    ]  # fmt: skip
    assert all(_size(10**n).endswith("B") for n in range(12))
