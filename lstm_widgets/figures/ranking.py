"""CellFinder's still picture: the rows of its ranking about the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_widgets.figures.paper import BAR, CHROME, EDGE, LINE, MUTED, WIDTH, sheet, write
from lstm_widgets.tokens.wording import in_line, number, sendable

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

_ROW, _MOST = 20, 10
#: Columns: what they are called, where they stand, the room that they have.
_COLUMNS = (
    *(("layer", EDGE, 130), ("signal", 150, 110), ("cell", 306, 46), ("concept", 322, 240)),
    *(("lag", 606, 40), ("score", 682, 70), ("q_value", WIDTH - EDGE, 100)),
)
_NUMBERS = ("cell", "lag", "score", "q_value")
_BAR = (700, 800)


def ranked_rows(ranking: pd.DataFrame, chosen: int) -> Image.Image:
    """
    Draw some rows of a ranking.

    Parameters
    ----------
    ranking : pandas.DataFrame
    chosen : int
        The row that is marked; -1 for none.
    """
    first = max(0, min(chosen - _MOST // 2, len(ranking) - _MOST))
    part = ranking.iloc[first : first + _MOST]
    image, draw = sheet((len(part) + 1) * _ROW + 4)
    draw.rectangle((0, 0, WIDTH, _ROW), fill=CHROME)
    for name, x, room in _COLUMNS:
        anchor = "rm" if name in _NUMBERS else "lm"
        title = "q" if name == "q_value" else name
        write(draw, (x, _ROW / 2), title, size=11, colour=MUTED, anchor=anchor, room=room)
    for at, (_, row) in enumerate(part.iterrows()):
        top = (at + 1) * _ROW
        if first + at == chosen:
            draw.rectangle((0, top, WIDTH, top + _ROW - 1), fill=(222, 233, 249))
        for name, x, room in _COLUMNS:
            value = row[name]
            text = in_line(sendable(str(value)))
            if name in ("score", "q_value"):
                text = number(float(value))
            if name == "q_value" and row.get("reason"):
                text = in_line(sendable(str(row["reason"])))
            anchor = "rm" if name in _NUMBERS else "lm"
            write(draw, (x, top + _ROW / 2), text, size=12, anchor=anchor, room=room)
        middle, half = sum(_BAR) // 2, (_BAR[1] - _BAR[0]) / 2
        draw.line((middle, top + 4, middle, top + _ROW - 5), LINE)
        size = 0.0 if row["score"] != row["score"] else max(-1.0, min(1.0, float(row["score"])))
        low, high = sorted((middle, middle + size * half))
        draw.rectangle((low, top + 6, high, top + _ROW - 7), fill=BAR)
    return image
