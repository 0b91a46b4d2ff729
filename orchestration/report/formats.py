"""What a report can be written as."""

from enum import StrEnum


class Format(StrEnum):
    """A page, or its tables alone."""

    HTML = "html"
    MARKDOWN = "md"
    CSV = "csv"
    LATEX = "tex"
