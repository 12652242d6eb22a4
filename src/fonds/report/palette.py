"""Colours, letters and widths that all pictures of the report share."""

from __future__ import annotations

# Okabe and Ito's palette: told apart by colour-blind readers and in grey print
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#8C96A0",
)
INK, MUTED, LINE = "#1b2733", "#5b6773", "#d9dfe5"  # the style sheet turns these round in the dark
FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
PADDING = {"left": 22, "right": 26, "top": 4, "bottom": 4}  # room for a font wider than the one Vega measured with
WIDE, HALF = 590, 300
