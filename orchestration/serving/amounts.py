"""How much of an answer is shown unless more or less is asked for."""

TOP_CLASSES, TOP_ATTRIBUTES = 5, 5
