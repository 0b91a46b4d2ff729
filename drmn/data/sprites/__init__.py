"""The demo data set: invented creatures that are rendered rather than downloaded."""

from drmn.data.sprites.rendering import render_sprites

__all__ = ["render_sprites"]
