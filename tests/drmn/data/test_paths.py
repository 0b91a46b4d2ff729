import pytest
from hypothesis import given
from hypothesis import strategies as st

from drmn.data.paths import image_tail, match_tails
from drmn.errors import DataError

NAME = st.text("abcdefgh.", min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))


@pytest.mark.parametrize(
    ("path", "tail"),
    [
        ("CUB_200_2011/images/001.A/b_1.jpg", "001.A/b_1.jpg"),
        ("Animals_with_Attributes2//JPEGImages/antelope/antelope_1.jpg", "antelope/antelope_1.jpg"),
        ("/BS/xian/work/data/images/a/abbey/sun_x.jpg", "a/abbey/sun_x.jpg"),
        ("/my/images/SUN/images/a/b.jpg", "a/b.jpg"),
        ("D:\\data\\images\\a\\b.jpg", "a/b.jpg"),
        ("./plain/b.jpg", "plain/b.jpg"),
        ("a/images", "a/images"),
    ],
)
def test_tail(path: str, tail: str) -> None:
    assert image_tail(path) == tail


@pytest.mark.parametrize("path", ["images/../../etc/passwd", "", "//", "a\\..\\b"])
def test_climbing_and_empty_paths_are_refused(path: str) -> None:
    with pytest.raises(DataError, match=r"\.\.|empty"):
        image_tail(path)


@given(st.lists(NAME, min_size=1, max_size=4), st.lists(NAME, max_size=3))
def test_any_prefix_is_found_by_content(tail_parts: list[str], prefix: list[str]) -> None:
    tail = "/".join(tail_parts)
    path = "/".join([*prefix, tail])
    assert match_tails([path], {tail}) == {tail: path}


def test_marked_folder_wins_then_the_shortest_path() -> None:
    paths = ["small/a/b.jpg", "deep/images/a/b.jpg", "thumbnails/c/d.jpg", "x/y/c/d.jpg", "other"]
    assert match_tails(paths, {"a/b.jpg", "c/d.jpg"}) == {
        "a/b.jpg": "deep/images/a/b.jpg",
        "c/d.jpg": "x/y/c/d.jpg",
    }
