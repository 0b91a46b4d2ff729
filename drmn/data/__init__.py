"""Data: from files on disk to validated splits and cached features."""
