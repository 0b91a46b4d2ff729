"""The readers below ``drmn/``, as a user's commands reach them."""

from pathlib import Path

import hostile_readers as valid
from hostile_readers import SPECS, Reader, picture, written

from drmn.data.attribute_names import read_attribute_names
from drmn.data.exclusions import read_exclusions
from drmn.data.image_files import ImageFolder, ImageZip
from drmn.data.layouts.folder import read_folder
from drmn.data.layouts.text import read_matrix, read_names, read_numbered
from drmn.data.matfile import MatFile
from drmn.data.pictures import open_picture
from drmn.data.pixels.manifest import load_pixel_manifest
from drmn.data.pixels.source import PreparedImages
from drmn.data.store.arrow_shards import map_shard
from drmn.data.store.manifest import load_manifest
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.deployed.given_classes import read_classes
from drmn.deployed.network import DeployedNetwork
from drmn.deployed.saved_model import load_model
from drmn.logits import Logits
from drmn.model import weights

_TEXT = ("drmn/data/layouts/text.py:read_text",)
_WEIGHTS = ("drmn/model/weights.py:_read_torch", "drmn/archives.py:check_torch")


def _mat(path: Path) -> object:
    file = MatFile(path, ["att", "names"])
    return file.matrix("att"), file.integers("att"), file.texts("names")


def _pixels(path: Path) -> object:
    found = PreparedImages.open(Storage(str(path.parent)), ShardCache(path.parent / "c"), "h")
    return [found.open_image(name).size for name in ("a.png", "b.png")]


def _restore(path: Path) -> object:
    run = valid.trainer()
    before = run.state()
    try:
        return run.restore(path)
    finally:
        run.load_state(before, origin="before", may_differ=())


METHOD: tuple[Reader, ...] = (
    Reader(
        name="MATLAB file",
        code=(
            "drmn/data/mat5.py:read_variables",
            "drmn/data/mat5.py:next",
            "drmn/data/mat5.py:__init__",
            "drmn/data/mat5.py:_inside",
            "drmn/data/mat5.py:_array",
        ),
        make=valid.mat,
        read=_mat,
    ),
    Reader(
        name="weights, npz",
        code=(
            "drmn/model/weights.py:_read_npz",
            "drmn/archives.py:check_npz",
            "drmn/archives.py:_check_header",
        ),
        make=valid.npz,
        read=weights._read_file,
    ),
    Reader(
        name="weights, torch",
        code=_WEIGHTS,
        make=valid.torch_file(is_legacy=False),
        read=weights._read_file,
    ),
    Reader(
        name="weights, torch before 1.6",
        code=_WEIGHTS,
        make=valid.torch_file(is_legacy=True),
        read=weights._read_file,
    ),
    Reader(
        name="feature shard",
        code=("drmn/data/store/arrow_shards.py:map_shard",),
        make=valid.shard,
        read=lambda path: [level.sum() for level in map_shard(path, SPECS, 4)],
    ),
    Reader(
        name="feature manifest",
        code=(
            "drmn/data/store/manifest.py:load_manifest",
            "drmn/data/store/manifest.py:parse_manifest",
            "drmn/data/store/manifest.py:file_sha256",
        ),
        make=valid.manifest,
        read=lambda path: load_manifest(path.parent),
    ),
    Reader(
        name="prepared pixels",
        code=("drmn/data/pixels/source.py:_shard", "drmn/data/pixels/source.py:open_image"),
        make=valid.pixels,
        read=_pixels,
    ),
    Reader(
        name="manifest of pixels",
        code=(
            "drmn/data/pixels/manifest.py:load_pixel_manifest",
            "drmn/data/store/storage.py:read",
        ),
        make=valid.pixel_manifest,
        read=lambda path: load_pixel_manifest(Storage(str(path.parent))),
    ),
    Reader(
        name="archive of images",
        code=("drmn/data/image_files.py:_zip", "drmn/data/image_files.py:_read"),
        make=valid.archive,
        read=lambda path: ImageZip(path, {"a.png": 0}).open_image("a.png"),
    ),
    Reader(
        name="image of a data set",
        code=(
            "drmn/data/image_files.py:decode",
            "drmn/data/image_files.py:_read",
            "drmn/data/image_files.py:_describe",
        ),
        make=written("a.png", picture()),
        read=lambda path: ImageFolder(path.parent, {"a.png": 0}).open_image("a.png"),
    ),
    *(
        Reader(
            name=f"picture, {kind}",
            code=("drmn/data/pictures.py:open_picture",),
            make=written(f"a.{kind.lower()}", picture(kind)),
            read=open_picture,
        )
        for kind in ("JPEG", "GIF", "TIFF", "WEBP", "BMP")
    ),
    Reader(
        name="attributes.csv",
        code=("drmn/data/layouts/folder.py:_table", *_TEXT),
        make=valid.table,
        read=lambda path: read_folder(path.parent),
    ),
    Reader(
        name="exclude.txt",
        code=("drmn/data/exclusions.py:read_exclusions", *_TEXT),
        make=written("exclude.txt", "a.png\n"),
        read=lambda path: read_exclusions(path.parent, ["a.png", "b.png"]),
    ),
    Reader(
        name="attributes.txt",
        code=("drmn/data/attribute_names.py:read_attribute_names", *_TEXT),
        make=written("attributes.txt", "1 black\n2 white\n"),
        read=lambda path: read_attribute_names(path.parent, 2),
    ),
    Reader(
        name="numbered list",
        code=("drmn/data/layouts/text.py:read_numbered",),
        make=written("classes.txt", "1 black\n2 white\n"),
        read=read_numbered,
    ),
    Reader(
        name="list of names",
        code=("drmn/data/layouts/text.py:read_names",),
        make=written("n.txt", "black\nwhite\n"),
        read=read_names,
    ),
    Reader(
        name="matrix of numbers",
        code=("drmn/data/layouts/text.py:read_matrix",),
        make=written("m.txt", "1 2\n3 4\n"),
        read=lambda path: read_matrix(path, 2),
    ),
    Reader(
        name="table of new classes",
        code=(
            "drmn/deployed/given_classes.py:read_classes",
            "drmn/deployed/given_classes.py:_rows",
        ),
        make=written("c.csv", "class,a,b\nokapi,1,2\n"),
        read=lambda path: read_classes(path, ["a", "b"], ["cat"]),
    ),
    Reader(
        name="checkpoint",
        code=("drmn/sealed.py:read_sealed", "drmn/resuming.py:check_resumable"),
        make=valid.checkpoint,
        read=_restore,
        sealed=True,
    ),
    Reader(
        name="deployed model",
        code=(
            "drmn/deployed/saved_model.py:load_model",
            "drmn/deployed/saved_model.py:_check_tensors",
        ),
        make=valid.model,
        read=lambda path: DeployedNetwork(load_model(path)),
        sealed=True,
    ),
    Reader(name="logits", code=("drmn/logits.py:_read",), make=valid.logits, read=Logits.load),
)
