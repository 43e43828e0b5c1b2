"""Figures: what widgets show, drawn by Matplotlib for papers, and as the still pictures beside them.

`sheet` is what all of them draw on; `artist` and `fonts`, which alone import Matplotlib, are imported
when the first is drawn.
"""
