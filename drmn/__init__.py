"""DRMN: Dual Relation Mining Network for zero-shot learning."""
