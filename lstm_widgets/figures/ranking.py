"""The rows of a ranking about the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import mix, one_colour
from lstm_widgets.figures.sheet import EDGE, LINES, PAPER
from lstm_widgets.tokens.wording import in_line, number, sendable

if TYPE_CHECKING:
    import pandas as pd

    from lstm_widgets.figures.sheet import Sheet

_ROW, _MOST = 20, 10
#: Columns: where they stand and the room that they have, on wide sheets.
_WIDE = {
    "layer": (EDGE, 130),
    "signal": (150, 110),
    "cell": (306, 46),
    "concept": (322, 240),
    "lag": (606, 40),
    "score": (682, 70),
    "bar": (700, 100),
    "q_value": (888, 70),
}
#: On narrow ones, without the signal and the lag; at 300, and further to the right on wider ones.
_NARROW = {
    "layer": (EDGE, 50),
    "cell": (92, 26),
    "concept": (100, 70),
    "score": (216, 50),
    "bar": (222, 30),
    "q_value": (288, 36),
}
_NUMBERS = ("cell", "lag", "score", "q_value")


def ranked_rows(sheet: Sheet, ranking: pd.DataFrame, chosen: int, *, changes: bool = False) -> None:
    """
    Draw some rows of a ranking.

    Parameters
    ----------
    sheet : Sheet
    ranking : pandas.DataFrame
    chosen : int
        The row that is marked; -1 for none.
    changes : bool, default False
        Whether scores are less those of another variant: from -2 to 2.
    """
    theme = sheet.theme
    table, wide = (_WIDE, 900) if sheet.width >= 700 else (_NARROW, 300)
    share = sheet.width / wide
    columns = {name: (round(x * share), round(room * share)) for name, (x, room) in table.items()}
    left, length = columns.pop("bar")
    first = max(0, min(chosen - _MOST // 2, len(ranking) - _MOST))
    part = ranking.iloc[first : first + _MOST]
    sheet.box((0, 0, sheet.width, _ROW + 1), theme.chrome, PAPER)
    for name, (x, room) in columns.items():
        said = {"q_value": "q", "score": "Δ score" if changes else "score"}.get(name, name)
        title = sheet.shortened(said, room, size=11)
        sheet.muted(x, _ROW / 2, title, align="right" if name in _NUMBERS else "left")
    for at, (_, row) in enumerate(part.iterrows()):
        top = (at + 1) * _ROW
        if first + at == chosen:
            tint = one_colour(mix(theme.background, theme.accent, 0.14))
            sheet.box((0, top, sheet.width, top + _ROW), tint, PAPER)
        for name, (x, room) in columns.items():
            text = in_line(sendable(str(row[name])))
            if name in ("score", "q_value"):
                text = number(float(row[name]))
            if name == "q_value" and row.get("reason"):
                text = in_line(sendable(str(row["reason"])))
            align = "right" if name in _NUMBERS else "left"
            sheet.write(x, top + _ROW / 2, text, room=room, align=align)
        middle, half = left + length // 2, length / 2
        sheet.box((middle, top + 4, middle + 1, top + _ROW - 4), theme.line, LINES)
        score = float(np.nan_to_num(row["score"])) / (2 if changes else 1)
        score = max(-1.0, min(1.0, score))
        low, high = sorted((middle, middle + score * half))
        sheet.box((round(low), top + 6, round(high) + 1, top + _ROW - 6), theme.bar)
    sheet.end((len(part) + 1) * _ROW + 4)
