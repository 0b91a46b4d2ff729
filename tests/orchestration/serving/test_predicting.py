"""Pictures in files through a model: answers, attention maps, broken ones among them."""

import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from tiny_models import ATTRIBUTE_NAMES, model_of, tiny_pixels, tiny_trainer

from drmn.deployed.prediction import Predictor
from drmn.deployed.saved_model import MODEL_FILE
from drmn.errors import ConfigError, DataError
from orchestration.cli_predict import predict
from orchestration.serving.predicting import Wanted, predict_files
from orchestration.serving.reading import find_model


@pytest.fixture(scope="module")
def model():
    return model_of(tiny_trainer())


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Two whole ones of the same name, a broken one between them, and one that is not there."""
    paths = [tmp_path / "x/cat.png", tmp_path / "broken.jpg", tmp_path / "y/cat.jpg"]
    for path, pixels in zip(paths, tiny_pixels(3), strict=True):
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((48, 40)).save(path)
    paths[1].write_bytes(b"no picture")
    return [*paths, tmp_path / "absent.png"]


def test_a_broken_picture_holds_up_no_other(model, pictures, tmp_path):
    wanted = Wanted(num_classes=2, num_attributes=3, overlay=tmp_path / "maps")
    first, broken, third, absent = predict_files(Predictor(model), pictures, wanted)
    for each in (first, third):
        assert each.answer is not None
        assert next(iter(each.answer.classes)) == each.answer.decision
        assert len(each.answer.classes) == 2
        assert len(each.answer.attributes) == 3
        assert list(each.answer.attributes.values()) == sorted(
            each.answer.attributes.values(), reverse=True
        )
    assert "broken.jpg" in str(broken.error)
    assert "absent.png" in str(absent.error)
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == ["cat-1.png", "cat-3.png"]
    with Image.open(tmp_path / "maps/cat-1.png") as overlay:
        assert overlay.width > overlay.height > 100


def _predict(**options) -> None:
    """The command, every option it is not given left at its default."""
    predict(**{"images": [], "classes": None, "only_given": False, "top": 5, "attributes": 5,
               "overlay": None, "as_json": False, "template": None, **options})  # fmt: skip


def test_the_command_gives_json_and_fails_in_the_end(model, pictures, tmp_path, capsys):
    model.save(tmp_path / MODEL_FILE)
    with pytest.raises(typer.Exit) as stopped:
        _predict(model=str(tmp_path), images=pictures, as_json=True)
    assert stopped.value.exit_code == 1
    printed = capsys.readouterr()
    images = json.loads(printed.out)["images"]
    assert [Path(each["image"]) for each in images] == pictures
    assert ["error" in each for each in images] == [False, True, False, True]
    assert "broken.jpg" in printed.err
    assert sum(images[0]["classes"].values()) < 1


def test_the_template_becomes_a_table_of_new_classes(model, pictures, tmp_path, capsys):
    model.save(tmp_path / MODEL_FILE)
    table = tmp_path / "new.csv"
    _predict(model=str(tmp_path), template=table)
    assert table.read_text() == "class," + ",".join(ATTRIBUTE_NAMES) + "\n"
    with table.open("a") as file:
        file.write("okapi,1,0,0,2,1\n")
    _predict(model=str(tmp_path), images=pictures[:1], classes=table, only_given=True)
    assert "okapi (unseen class)" in capsys.readouterr().out


def test_no_picture_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match="no picture"):
        _predict(model=str(tmp_path))


def test_a_folder_must_hold_one_model(tmp_path):
    with pytest.raises(DataError, match="holds 0 models"):
        find_model(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MODEL_FILE).touch()
    assert find_model(tmp_path / "two") == tmp_path / "two" / MODEL_FILE
    with pytest.raises(DataError, match=r"holds 2 models.*one, two"):
        find_model(tmp_path)
    (tmp_path / MODEL_FILE).touch()
    assert find_model(tmp_path) == tmp_path / MODEL_FILE
