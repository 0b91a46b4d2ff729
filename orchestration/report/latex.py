"""Tables for a paper: booktabs and graphicx, narrow enough for a column of text."""

from orchestration.report.tables import Table

_LEFT_OUT = {"minutes", "p (Wilcoxon)", "d", "seeds needed", "verdict", "rows"}
"""Columns that the page, Markdown and CSV have; a paper's page is too narrow for all."""

_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"

_CHARACTERS = {
    "\\": r"\textbackslash{}", "%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "±": r"$\pm$", "Δ": r"$\Delta$", "→": r"$\to$", "–": "--",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
    "|": "$|$", '"': "''", "−": "$-$", "×": r"$\times$", "…": r"\dots{}",
    "≤": r"$\le$", "≥": r"$\ge$", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$",
    "η": r"$\eta$", "λ": r"$\lambda$", "μ": r"$\mu$", "σ": r"$\sigma$",
    # At the start of a row these would be arguments of the \\ before.
    "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip


def to_latex(table: Table) -> str:
    """A ``table`` that compiles as it is; a wide one is scaled to the width of the line."""
    kept = [place for place, name in enumerate(table.header) if name not in _LEFT_OUT]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{escape(table.caption)}}}",
            _FIT,
            rf"\begin{{tabular}}{{l{'c' * (len(kept) - 1)}}}",
            r"\toprule",
            _line(table.header, kept),
            r"\midrule",
            *(_line(row, kept) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """``text`` for LaTeX to print as it stands."""
    return "".join(_CHARACTERS.get(character, character) for character in text)


def _line(cells: list[str], kept: list[int]) -> str:
    return " & ".join(escape(cells[place]) for place in kept) + r" \\"
