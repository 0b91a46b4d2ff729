"""What will be written, and where there is no room for it."""

from pathlib import Path

import pytest

from drmn.errors import ConfigError
from drmn.model.levels import LevelSpec
from orchestration.planning.disk import Demand, check_room, free_bytes, store_bytes


def _demand(place: str, size_bytes: int, what: str = "the store") -> Demand:
    return Demand(what=what, place=place, size_bytes=size_bytes, remedy=f"move {what}")


def test_a_stores_size_is_that_of_all_values() -> None:
    specs = (LevelSpec(channels=10, height=2, width=3), LevelSpec(channels=5, height=1, width=1))
    assert store_bytes(specs, 100) == 100 * 65 * 2
    assert store_bytes(specs, 100, "float32") == 100 * 65 * 4


def test_free_space_is_known_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    free = free_bytes(str(tmp_path / "not" / "yet"))
    assert free is not None
    assert free > 0
    assert free_bytes("s3://bucket/prefix") is None


def test_a_full_disk_is_refused_with_the_remedy_of_the_largest(tmp_path: Path) -> None:
    small, large = _demand(str(tmp_path), 10, "checkpoints"), _demand(f"{tmp_path}/x", 10**18)
    with pytest.raises(ConfigError, match="the most is the store") as caught:
        check_room([small, large])
    assert caught.value.remedy == "move the store"


def test_demands_on_one_disk_add_up(tmp_path: Path) -> None:
    free = free_bytes(str(tmp_path))
    assert free is not None
    half = int(0.6 * free)
    check_room([_demand(str(tmp_path), half)])
    with pytest.raises(ConfigError, match="the sweep will write"):
        check_room([_demand(str(tmp_path), half), _demand(f"{tmp_path}/a", half)])


def test_a_uri_is_not_judged() -> None:
    check_room([_demand("s3://bucket", 10**18)])
