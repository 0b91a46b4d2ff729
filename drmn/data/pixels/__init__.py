"""Pictures that were decoded and resized once, kept as Arrow shards of square pixels."""

from drmn.data.pixels.preparation import prepare
from drmn.data.pixels.source import PreparedImages

__all__ = ["PreparedImages", "prepare"]
