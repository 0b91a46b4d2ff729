"""What the pages show: fenced blocks, their marks, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXECUTED = "executed"
NOT_RUN = "not run: "

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*).*$")
_MARK = re.compile(r"<!--\s*(?P<mark>.*?)\s*-->")
_INLINE = re.compile(r"(?<!`)`(?P<text>(?:drmn|drmn-sweep) [^`]+)`(?!`)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_OPERATORS = {";", "&&", "||", "|", "&", ";;"}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block; ``mark`` is the comment in the line above it, "" if there is none."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """Words of every simple command; of a transcript those of its lines after ``$``."""
        if self.language in ("bash", "sh"):
            return split_commands(self.text)
        typed = re.findall(r"^\$ ((?:drmn|make|infra/)\S* ?[^\n|…]*)", self.text, re.MULTILINE)
        return [words for line in typed for words in split_commands(line)]


def pages() -> list[Path]:
    """README, CONTRIBUTING and everything below docs/."""
    return [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text().splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        end = next(n for n in range(number, len(lines)) if lines[n].strip() == "```")
        above = _MARK.fullmatch(lines[number - 2].strip()) if number >= 2 else None
        yield Block(
            page=page,
            line=number,
            language=opening["language"],
            mark=above["mark"] if above else "",
            text="\n".join(lines[number:end]) + "\n",
        )
        number = end + 1


def inline_commands(page: Path) -> list[str]:
    """What stands between single backquotes and begins with one of our commands."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found["text"].split()) for found in _INLINE.finditer(text)]


def split_commands(text: str) -> list[list[str]]:
    """Simple commands of shell text, without assignments before them and without redirections."""
    found: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _OPERATORS:
                words.append(word)
                continue
            found += _simple(words)
            words = []
    return found


def _simple(words: list[str]) -> Iterator[list[str]]:
    for word in words:
        for inner in re.findall(r"\$\(([^()]*)\)", word):
            yield from split_commands(inner)
    words = [bare for word in words if (bare := word.lstrip("(").rstrip(")"))]
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    if words:
        yield words[: next((n for n, word in enumerate(words) if word in (">", "<", ">>")), None)]
