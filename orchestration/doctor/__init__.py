"""``drmn doctor``: what of this machine and its servers would fail later, said now."""
