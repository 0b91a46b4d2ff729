"""Image paths by their content: the part that stays the same on every disk.

``res101.mat`` was written on somebody's machine, so its paths carry that machine's prefix. What
counts is the tail below ``images/`` or ``JPEGImages/``; AWA2's doubled slashes are one.
"""

from collections.abc import Collection, Iterable

from drmn.errors import DataError

IMAGE_FOLDERS = ("images", "JPEGImages")


def image_tail(path: str) -> str:
    """``"/home/me/CUB//images/001.A/b.jpg"`` -> ``"001.A/b.jpg"``; without a marker, all of it.

    Raises:
        DataError: the path climbs (``..``) or nothing is left of it.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise DataError(f"the image path {path!r} contains '..', which is refused")
    markers = [index for index, part in enumerate(parts[:-1]) if part in IMAGE_FOLDERS]
    tail = parts[markers[-1] + 1 :] if markers else parts
    if not tail:
        raise DataError(f"the image path {path!r} is empty")
    return "/".join(tail)


def match_tails(paths: Iterable[str], wanted: Collection[str]) -> dict[str, str]:
    """Which of the relative ``paths`` is which wanted tail, whatever folders stand before it.

    Where several fit, one below ``images/`` or ``JPEGImages/`` wins, then the shortest.
    """
    best: dict[str, tuple[bool, int, str]] = {}
    for path in paths:
        tail = path
        while tail not in wanted and tail:
            tail = tail.partition("/")[2]
        if not tail:
            continue
        folder = path[: len(path) - len(tail)].rstrip("/").rpartition("/")[2]
        rank = (folder not in IMAGE_FOLDERS, len(path), path)
        best[tail] = min(best.get(tail, rank), rank)
    return {tail: path for tail, (_, _, path) in best.items()}
