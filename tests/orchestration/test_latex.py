"""Tables for a paper: characters that mean something to LaTeX, and a real compiler's verdict."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestration.report.latex import escape, to_latex
from orchestration.report.tables import Table

ODD = 'λ_GC 5 % & # $ { } ± Δ → – ~ ^ < > \\ β γ η × | "q" … ≤ ≥ −'
TABLE = Table(
    caption=f"Odd: {ODD}",
    header=["row", "95 % t", "verdict", "ΔH"],
    rows=[["[x]", "-1.0 to +2.0", "helps", "a"], ["*b", ODD, "harms", ODD], ["é", "", "", "1"]],
)
DOCUMENT = r"""\documentclass{article}\usepackage{booktabs,graphicx}
\begin{document}%s\end{document}"""


def test_every_special_character_is_escaped() -> None:
    text = escape(ODD)
    assert text.isascii()
    assert not re.search(r"(?<!\\)[%&#_]", text)
    assert escape("[x] *b") == "{[}x{]} {*}b"


def test_columns_a_page_has_no_room_for_are_left_out() -> None:
    latex = to_latex(TABLE)
    assert "helps" not in latex
    assert latex.count(r"\\") == len(TABLE.rows) + 1
    assert r"95 \% t" in latex


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_a_table_compiles_and_fits_the_line(tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(DOCUMENT % to_latex(TABLE))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    assert (tmp_path / "table.pdf").stat().st_size > 1000
