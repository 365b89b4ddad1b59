"""Labelled data in a folder of the user's: what is read, what is refused, and how it judges."""

import gzip
import importlib
import os
import pickle
import pickletools
import struct
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from bench.catalogue import make_workload
from bench.refusal import Refusal
from bench.workload import Sources, Workload
from bench.workloads import _labelled, _plain_pickle
from bench.workloads._conv_nets import AlexNet
from bench.workloads._labelled import Bytes, labelled
from bench.workloads._plain_pickle import HostilePickleError, read_pickle

read = labelled.__wrapped__


def images(*shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def idx(array: Bytes) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def mnist(folder: Path, count: int = 20, *, packed: bool = False, part: str = "t10k") -> Bytes:
    """MNIST's files with labels 0, 1, …, 9, 0, …; gives the pictures."""
    pixels = images(count, 28, 28)
    labels = np.arange(count, dtype=np.uint8) % 10
    for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        content = idx(array)
        path = folder / f"{part}-{name}-ubyte{'.gz' * packed}"
        path.write_bytes(gzip.compress(content) if packed else content)
    return pixels


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_read_as_it_was_written(packed: bool, tmp_path: Path) -> None:
    pixels = mnist(tmp_path, packed=packed)
    found = read(tmp_path, 28)
    assert found.pixels.shape == (20, 3, 28, 28)
    assert all(np.array_equal(found.pixels[:, channel], pixels) for channel in range(3))
    assert found.labels.tolist() == [*range(10)] * 2
    assert found.classes == 10
    assert found.origin == f"20 of 20 pictures of t10k-images-idx3-ubyte{'.gz' * packed}"


def test_test_data_are_taken_before_training_data(tmp_path: Path) -> None:
    mnist(tmp_path, 30, part="train")
    assert len(read(tmp_path, 28).labels) == 30
    pixels = mnist(tmp_path, 10)
    assert np.array_equal(read(tmp_path, 28).pixels[:, 0], pixels)


def test_more_pictures_than_wanted_are_taken_evenly(tmp_path: Path) -> None:
    pixels = mnist(tmp_path, 100)
    found = read(tmp_path, 28, 20)
    assert np.array_equal(found.pixels[:, 0], pixels[::5])
    assert found.origin.startswith("20 of 100 pictures of")


@given(there=st.integers(1, 10**9), most=st.integers(1, 512))
def test_places_are_evenly_spread_and_never_the_same(there: int, most: int) -> None:
    places = _labelled._spread(there, most)
    assert len(places) == min(there, most)
    assert places[0] == 0
    assert places[-1] < there
    steps = np.diff(places)
    assert len(steps) == 0 or steps.max() - steps.min() <= 1
    assert len(steps) == 0 or steps.min() >= 1


def test_pictures_are_scaled_to_the_side_of_the_model(tmp_path: Path) -> None:
    grey = np.full((3, 28, 28), 77, np.uint8)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(grey))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(3, dtype=np.uint8)))
    found = read(tmp_path, 64)
    assert found.pixels.shape == (3, 3, 64, 64)
    assert (found.pixels == 77).all()


IMAGES = "t10k-images-idx3-ubyte"
LABELS = "t10k-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (IMAGES, b"", "found the header , wanted 00000803"),
        (IMAGES, b"\0\0\x08", "found the header 000008, wanted 00000803"),
        (IMAGES, b"\0\0\x0d\x03" + bytes(12), "found the header 00000d03, wanted 00000803"),
        (IMAGES, idx(images(20, 28, 28))[:-1], "found 15679, wanted 15680 bytes after its header"),
        (IMAGES, idx(images(20, 28, 28)) + b"x", "found more than that, wanted 15680 bytes"),
        (IMAGES, b"\0\0\x08\x03" + b"\xff" * 12, "bytes in its header, wanted 1 to 2147483648"),
        (IMAGES, b"\0\0\x08\x03" + bytes(12), r"found \(0, 0, 0\) bytes in its header"),
        (IMAGES, idx(images(19, 28, 28)), "found 20 labels, wanted 19, one for each picture"),
        (LABELS, idx(images(20, 28, 28)), "found the header 00000803, wanted 00000801"),
    ],
)
def test_damaged_idx_file_is_refused_with_its_name(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    mnist(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match=says) as refused:
        read(tmp_path, 28)
    assert "joules-data=" in refused.value.why
    assert "unpacked" in refused.value.fix


def test_missing_labels_are_refused(tmp_path: Path) -> None:
    mnist(tmp_path)
    (tmp_path / LABELS).unlink()
    with pytest.raises(Refusal, match=rf"{LABELS}: found no readable file"):
        read(tmp_path, 28)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-20], id="truncated"),
        pytest.param(lambda content: idx(images(20, 28, 28)), id="not packed"),
        pytest.param(lambda content: content[:40] + b"\0" * 40 + content[80:], id="changed"),
    ],
)
def test_damaged_gzip_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    mnist(tmp_path, packed=True)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Refusal, match="found no readable file"):
        read(tmp_path, 28)


def cifar_rows(count: int, classes: int) -> tuple[Bytes, Bytes]:
    return images(count, 3072), np.arange(count, dtype=np.uint8) % classes


@pytest.mark.parametrize(
    ("name", "before", "classes"),
    [("test_batch.bin", 0, 10), ("data_batch_1.bin", 0, 10), ("test.bin", 1, 100)],
)
def test_binary_cifar_is_read_as_it_was_written(
    name: str, before: int, classes: int, tmp_path: Path
) -> None:
    pixels, labels = cifar_rows(30, classes)
    coarse = np.full((30, before), 19, np.uint8)
    (tmp_path / name).write_bytes(np.hstack([coarse, labels[:, None], pixels]).tobytes())
    found = read(tmp_path, 32)
    assert np.array_equal(found.pixels.reshape(30, -1), pixels)
    assert np.array_equal(found.labels, labels)
    assert found.classes == classes


@pytest.mark.parametrize(
    ("size", "label", "says"),
    [
        (3073 * 4 - 1, 3, "found 12291 bytes, wanted a multiple of 3073"),
        (0, 3, "found 0 bytes, wanted a multiple of 3073"),
        (3073 * 4, 10, "found the label 10, wanted 0 to 9"),
    ],
)
def test_damaged_binary_cifar_is_refused(size: int, label: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(bytes([label]) * size)
    with pytest.raises(Refusal, match=says):
        read(tmp_path, 32)


def old_numpy(content: bytes) -> bytes:
    """A pickle with the names that numpy had when CIFAR was made."""
    return content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("keys", [str, bytes])
@pytest.mark.parametrize(("name", "classes"), [("test_batch", 10), ("test", 100)])
def test_pickled_cifar_is_read_as_it_was_written(
    name: str, classes: int, keys: type, protocol: int, tmp_path: Path
) -> None:
    labelled_by = "labels" if classes == 10 else "fine_labels"
    pixels, labels = cifar_rows(30, classes)
    content = {"data": pixels, labelled_by: labels.tolist(), "filenames": ["a.png"] * 30}
    if keys is bytes:
        content = {key.encode(): value for key, value in content.items()}  # type: ignore[misc]
    written = pickle.dumps(content, protocol)
    (tmp_path / name).write_bytes(old_numpy(written) if protocol in {0, 2} else written)
    found = read(tmp_path, 32)
    assert np.array_equal(found.pixels.reshape(30, -1), pixels)
    assert np.array_equal(found.labels, labels)
    assert found.classes == classes


def test_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """Byte for byte what Python 2 with numpy 1 writes for such a dictionary at protocol 2."""
    text = b"".join(
        [
            b"\x80\x02}q\x00(U\x04dataq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray",
            b"\nq\x03K\x00\x85U\x01b\x87Rq\x04(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nq\x05U\x02u1K",
            b"\x00K\x01\x87Rq\x06(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            struct.pack("<I", 3072) + bytes(range(256)) * 12,
            b"tbU\x06labels]q\x07K\x03au.",
        ]
    )
    (tmp_path / "test_batch").write_bytes(text)
    found = read(tmp_path, 32)
    assert found.labels.tolist() == [3]
    assert found.pixels.flatten().tolist() == [*range(256)] * 12


class Runs:
    """Calls something when it is unpickled."""

    def __init__(self, what: Callable[..., Any], *arguments: object) -> None:
        self.call = (what, arguments)

    def __reduce__(self) -> Any:
        return self.call


def hostile() -> dict[str, bytes]:
    pixels, labels = cifar_rows(2, 10)
    good = {b"data": pixels, b"labels": labels.tolist()}
    array = pickle.dumps({b"data": pixels, b"labels": [0, 1]}, 2)
    return {
        "os.system": pickle.dumps({**good, b"more": Runs(os.system, "touch pwned")}),
        "eval": pickle.dumps({**good, b"more": Runs(eval, "open('pwned', 'w')")}),
        "import": pickle.dumps({**good, b"more": Runs(importlib.import_module, "this")}),
        "getattr": pickle.dumps({**good, b"more": Runs(getattr, "x", "upper")}),
        "another class of numpy": pickle.dumps({**good, b"more": Runs(np.fromfile, "/etc/passwd")}),
        "a function of ours": pickle.dumps({**good, b"more": Runs(read_pickle, Path("x"))}),
        "a type": pickle.dumps({**good, b"more": types.SimpleNamespace}),
        "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0ddtype.__new__\x93.",
        "Python 2's names": b"cposix\nsystem\n(S'touch pwned'\ntR.",
        "persistent id": b"\x80\x02U\x01xQ.",
        "extension code": b"\x80\x02\x82\x01.",
        "truncated": array[:-100],
        "empty": b"",
        "garbage": b"\xff\xfe not a pickle",
        "a list": pickle.dumps([1, 2, 3]),
        "no data": pickle.dumps({b"labels": [0, 1]}),
        "no labels": pickle.dumps({b"data": pixels}),
        "labels of text": pickle.dumps({**good, b"labels": ["a", "b"]}),
        "labels too large": pickle.dumps({**good, b"labels": [0, 300]}),
        "labels of no class": pickle.dumps({**good, b"labels": [0, 10]}),
        "too few labels": pickle.dumps({**good, b"labels": [0]}),
        "no pictures": pickle.dumps({b"data": pixels[:0], b"labels": []}),
        "another width": pickle.dumps({**good, b"data": pixels[:, :5]}),
        "an array of floats": pickle.dumps({**good, b"data": pixels / 2}),
        "an array of objects": pickle.dumps({**good, b"data": np.array([{}, []], object)}),
        "a shape without bytes": array.replace(b"M\x00\x0c\x86", b"M\xff\xff\x86"),
        "itself": b"\x80\x02}q\x00U\x04dataq\x01h\x00s.",
    }


@pytest.mark.parametrize("kind", sorted(hostile()))
def test_hostile_pickle_is_refused_and_nothing_of_it_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    (tmp_path / "test_batch").write_bytes(hostile()[kind])
    with pytest.raises(Refusal, match="test_batch: found"):
        read(tmp_path, 32)
    assert [each.name for each in tmp_path.iterdir()] == ["test_batch"]
    assert "this" not in set(sys.modules) - before


def test_hostile_pickle_is_refused_with_the_name_that_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "test_batch"
    path.write_bytes(pickle.dumps(Runs(os.system, "true")))
    with pytest.raises(HostilePickleError, match=r"it names (posix|nt)\.system, which could run"):
        read_pickle(path)


def test_pickle_larger_than_any_batch_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plain_pickle, "MOST_BYTES", 10)
    path = tmp_path / "test_batch"
    path.write_bytes(pickle.dumps("x" * 20))
    with pytest.raises(HostilePickleError, match="wanted at most 10"):
        read_pickle(path)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200), place=st.integers(0, 200))
def test_any_bytes_give_plain_values_or_are_refused(
    content: bytes, place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good = pickle.dumps({b"data": images(1, 12), b"labels": [1]}, 2)
    path = tmp_path_factory.getbasetemp() / "any.pickle"
    path.write_bytes(good[:place] + content + good[place + len(content) :])
    try:
        read_pickle(path)
    except HostilePickleError:
        names = [each for each, *_ in pickletools.genops(good)]
        assert names


def class_folders(folder: Path, classes: int = 3, each: int = 2, suffix: str = ".png") -> None:
    """Pictures of one colour: class n is red 20 n."""
    for number in range(classes):
        inside = folder / f"n{number:04}"
        inside.mkdir(parents=True)
        for picture in range(each):
            colour = (20 * number, 100, 200)
            Image.new("RGB", (50 + picture, 40), colour).save(inside / f"{picture}{suffix}")


@pytest.mark.parametrize("part", ["", "val", "validation", "test"])
@pytest.mark.parametrize("suffix", [".png", ".JPEG"])
def test_class_folders_are_numbered_by_name(part: str, suffix: str, tmp_path: Path) -> None:
    class_folders(tmp_path / part, suffix=suffix)
    (tmp_path / part / "n0000" / "notes.txt").write_text("no picture")
    (tmp_path / part / ".cache").mkdir()
    found = read(tmp_path, 32)
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.classes == 3
    assert found.origin == "6 of 6 pictures in class folders"
    red = found.pixels[:, 0].float().mean(dim=(1, 2))
    assert red.tolist() == pytest.approx([0, 0, 20, 20, 40, 40], abs=3)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_pictures_of_any_mode_become_three_channels(mode: str, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        picture = Image.new("RGB", (30, 30), (90, 90, 90)).convert(mode)
        picture.save(tmp_path / str(number) / ("a.jpg" if mode == "CMYK" else "a.png"))
    found = read(tmp_path, 16)
    assert found.pixels.shape == (2, 3, 16, 16)
    assert found.pixels.float().mean() == pytest.approx(90, abs=3)


@settings(max_examples=25, deadline=None)
@given(wide=st.integers(1, 400), high=st.integers(1, 400))
def test_square_in_the_middle_is_taken_of_any_picture(
    wide: int, high: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from bench.workloads._picture_folder import decoded

    ramp = np.linspace(0, 255, wide).astype(np.uint8)
    path = tmp_path_factory.getbasetemp() / "ramp.png"
    Image.fromarray(np.broadcast_to(ramp, (high, wide)).copy()).save(path)
    found = decoded(path, 24).float()
    assert found.shape == (3, 24, 24)
    assert found.mean() == pytest.approx(ramp.mean(), abs=4)
    assert (found[0].diff(dim=1) >= 0).all()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"GIF89a" + bytes(100), id="another format"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(30), id="broken"),
        pytest.param("truncated", id="truncated"),
    ],
)
def test_picture_that_cannot_be_decoded_is_refused_by_name(
    content: bytes | str, tmp_path: Path
) -> None:
    class_folders(tmp_path)
    path = tmp_path / "n0001" / "0.png"
    if isinstance(content, str):
        Image.fromarray(images(64, 64, 3)).save(path)
        content = path.read_bytes()[:3000]
    path.write_bytes(content)
    with pytest.raises(Refusal, match=r"n0001.0\.png that cannot be decoded .*; remove that file"):
        read(tmp_path, 32)


def test_picture_of_far_too_many_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    with pytest.raises(Refusal, match=r"cannot be decoded .*decompression bomb"):
        read(tmp_path, 32)


def test_folder_without_data_is_refused_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="found no such folder, wanted a folder of labelled"):
        read(tmp_path / "nowhere", 32)
    with pytest.raises(Refusal, match="found nothing, wanted class folders of JPEG or PNG"):
        read(tmp_path, 32)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(Refusal, match=r"found a\.png, wanted class folders"):
        read(tmp_path, 32)


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[int], tuple[Workload, Path]]:
    """Weights that are right on four of five pictures of a data set; gives both."""

    def made(classes: int) -> tuple[Workload, Path]:
        weights, data = tmp_path / "mine.safetensors", tmp_path / "data"
        torch.manual_seed(0)
        net = AlexNet((16,) * 5, 32, classes=classes, side=1)
        save_file(net.state_dict(), weights)
        shipped = make_workload("alexnet:smallest", 0, Sources(str(weights)))
        (data / "val").mkdir(parents=True)
        for number in range(classes):
            (data / "val" / f"{number:05}").mkdir()
        pixels = images(20, 64, 64, 3, seed=1)
        for number, picture in enumerate(pixels):
            Image.fromarray(picture).save(tmp_path / "one.png")
            from bench.workloads._picture_folder import decoded
            from bench.workloads._pictures import Pictures
            from bench.workloads._vision import IMAGENET_DEVIATION, IMAGENET_MEAN

            seen = Pictures(
                decoded(tmp_path / "one.png", 64)[None], IMAGENET_MEAN, IMAGENET_DEVIATION
            ).first(1)
            with torch.inference_mode():
                answer = int(shipped.model(seen).argmax())
            label = answer if number % 5 else (answer + 1) % classes
            Image.fromarray(picture).save(data / "val" / f"{label:05}" / f"{number}.png")
        return make_workload("alexnet:smallest", 0, Sources(str(weights), str(data))), data

    return made


def test_labelled_data_judge_by_accuracy(
    trained: Callable[[int], tuple[Workload, Path]],
) -> None:
    workload, _ = trained(10)
    assert workload.quality is not None
    quality = workload.quality(workload.model)
    assert (quality.metric, quality.value, quality.n) == ("top-1 accuracy", 0.8, 20)
    assert quality.target == pytest.approx(0.99 * 0.8)
    assert quality.holds
    assert workload.note == (
        "weights of mine.safetensors, judged by 20 of 20 pictures in class folders"
    )
    other = make_workload("alexnet:smallest", 3)
    assert not workload.quality(other.model).holds


def test_other_data_are_another_version(
    trained: Callable[[int], tuple[Workload, Path]], tmp_path: Path
) -> None:
    workload, _ = trained(10)
    without = make_workload("alexnet:smallest", 0, Sources(str(tmp_path / "mine.safetensors")))
    assert workload.version != without.version


def test_data_of_other_classes_than_the_model_are_refused(tmp_path: Path) -> None:
    from bench.workloads._conv_nets import Vgg16

    mnist(tmp_path)
    weights = tmp_path / "mine.safetensors"
    save_file(Vgg16((16,) * 5, 32, classes=7, side=1).state_dict(), weights)
    with pytest.raises(
        Refusal, match="--joules-data has 10 classes, vgg16:smallest with these weights has 7; give"
    ):
        make_workload("vgg16:smallest", 0, Sources(str(weights), str(tmp_path)))


def test_model_that_only_guesses_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((10, 28, 28), np.uint8)
    (tmp_path / IMAGES).write_bytes(idx(pixels))
    (tmp_path / LABELS).write_bytes(idx(np.arange(10, dtype=np.uint8)))
    weights = tmp_path / "mine.safetensors"
    save_file(AlexNet((16,) * 5, 32, classes=10, side=1).state_dict(), weights)
    with pytest.raises(Refusal, match=r"right on 10\.0% of 10 of 10 pictures .* which is guessing"):
        make_workload("alexnet:smallest", 0, Sources(str(weights), str(tmp_path)))


def test_background_class_of_tensorflow_shifts_the_labels_of_imagenet() -> None:
    from bench.workloads._vision import _shift

    imagenet = _labelled.Labelled(torch.zeros(0), torch.zeros(0), 1000, "")
    assert _shift("mobilenet-v2", 1001, imagenet) == 1
    assert _shift("mobilenet-v2", 1000, imagenet) == 0


def test_random_weights_are_judged_by_agreement_on_the_pictures_of_the_user(
    tmp_path: Path,
) -> None:
    mnist(tmp_path)
    workload = make_workload("alexnet:smallest", 0, Sources("random", str(tmp_path)))
    assert workload.quality is not None
    quality = workload.quality(workload.model)
    assert (quality.metric, quality.value, quality.n) == ("top-1 agreement with fp32", 1.0, 20)
    assert workload.note.endswith("the labels of --joules-data are not used")
    assert torch.equal(workload.inputs(20), workload.inputs(40)[20:])
