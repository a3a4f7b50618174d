"""Images: the same digest each time, what is in the layer, and that `restricted` pods can run them."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from domicile.localfleet import images

MODEL = {"model.json": b"{}", "meta/card.md": b"# a model"}


def config_of(image: images.Image) -> dict[str, object]:
    return json.loads(image.blobs[json.loads(image.manifest)["config"]["digest"]])


def entries_of(image: images.Image) -> list[tarfile.TarInfo]:
    layer = gzip.decompress(image.blobs[json.loads(image.manifest)["layers"][0]["digest"]])
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return archive.getmembers()


def test_the_same_files_make_the_same_digest_in_any_order() -> None:
    turned = dict(reversed(MODEL.items()))
    assert images.model(MODEL).digest == images.model(turned).digest


CHANGES = {
    "content": {**MODEL, "model.json": b"{ }"},
    "a name": {"model2.json": b"{}", "meta/card.md": b"# a model"},
    "one file more": {**MODEL, "more": b""},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_file_makes_another_digest(change: str) -> None:
    assert images.model(CHANGES[change]).digest != images.model(MODEL).digest


def test_the_digest_is_pinned() -> None:
    """Not to be changed lightly: what was signed yesterday is to be packed the same tomorrow."""
    layer = images.pack(images.Contents({"/a": images.File(b"a")}))
    diff_ids = config_of(layer)["rootfs"]["diff_ids"]  # type: ignore[index]
    assert diff_ids == ["sha256:" + DIFF_ID]


DIFF_ID = "222eae8756318e08c6a0a394492d8900d738e70d3c207a3506c2647ecacf3388"


def test_a_model_image_holds_its_files_under_models_and_nothing_else() -> None:
    names = [entry.name for entry in entries_of(images.model(MODEL))]
    assert names == ["models", "models/meta", "models/meta/card.md", "models/model.json"]
    assert all(entry.mtime == 0 and entry.uid == 0 for entry in entries_of(images.model(MODEL)))


def test_programs_run_as_a_numbered_user_that_is_not_root(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF")
    for image in (images.model_server(binary), images.pause(binary)):
        settings = config_of(image)["config"]
        assert isinstance(settings, dict)
        user, _, group = settings["User"].partition(":")
        assert int(user) > 0
        assert int(group) > 0
        program = next(entry for entry in entries_of(image) if f"/{entry.name}" == settings["Entrypoint"][0])
        assert program.mode == 0o755
