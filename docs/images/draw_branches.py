"""Draws branches.png, the picture of the two branches.

  python docs/images/draw_branches.py

Everything in it is described in docs/method.md, sections 2 to 4.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from PIL import Image

WIDTH, HEIGHT = 110.0, 73.0
INK, GREY = "#1f2328", "#59636e"
Point = tuple[float, float]


class Colour(NamedTuple):
  """Of a part of the picture; Okabe and Ito's palette."""

  line: str
  lane: str
  box: str


VIDEO = Colour("#0072B2", "#EEF6FB", "#D3E8F5")
LABELS = Colour("#C24E00", "#FEF4EC", "#FBDFC8")
SNIPPET = Colour("#007A5A", "#ECF8F4", "#CDEDE2")


def lane(axes: Axes, bottom: float, top: float, title: str, colour: Colour):
  """A tinted band with its title in the upper left corner."""
  axes.add_patch(
    FancyBboxPatch(
      (1, bottom), WIDTH - 2, top - bottom,
      boxstyle="round,pad=0,rounding_size=1.4",
      facecolor=colour.lane, edgecolor=colour.line, lw=1.0,
    )
  )  # fmt: skip
  axes.text(
    3.4, top - 2.6, title,
    fontsize=12.5, weight="bold", color=colour.line, va="center",
  )  # fmt: skip


def box(
  axes: Axes, left: float, bottom: float, width: float, height: float,
  text: str, colour: Colour,
):  # fmt: skip
  """A part, with its name in the middle."""
  axes.add_patch(
    FancyBboxPatch(
      (left, bottom), width, height,
      boxstyle="round,pad=0,rounding_size=0.8",
      facecolor=colour.box, edgecolor=colour.line, lw=1.2,
    )
  )  # fmt: skip
  axes.text(
    left + width / 2, bottom + height / 2, text,
    fontsize=10.5, color=INK, ha="center", va="center", linespacing=1.25,
  )  # fmt: skip


def arrow(axes: Axes, start: Point, end: Point, colour=INK, both=False):
  """A straight arrow; with two heads if `both`."""
  axes.add_patch(
    FancyArrowPatch(
      start, end,
      arrowstyle="<|-|>" if both else "-|>", mutation_scale=12,
      color=colour, lw=1.4, shrinkA=0, shrinkB=0,
    )
  )  # fmt: skip


def note(axes: Axes, x: float, y: float, text: str, ha="center", colour=GREY):
  """A small remark."""
  axes.text(
    x, y, text,
    fontsize=9.5, color=colour, ha=ha, va="center", linespacing=1.25,
  )  # fmt: skip


def strip(
  axes: Axes, left: float, bottom: float, loud: tuple[int, ...], colour: Colour
):
  """A video as a row of segments, some of them anomalous."""
  for i in range(8):
    axes.add_patch(
      Rectangle(
        (left + 1.3 * i, bottom), 1.3, 3.6,
        facecolor=LABELS.line if i in loud else "white",
        edgecolor=colour.line, lw=1.0,
      )
    )  # fmt: skip


def hump(count: int, wobble: float, phase: float) -> np.ndarray:
  """A curve in 0..1 with one high stretch."""
  t = np.linspace(0, 1, count)
  curve = np.exp(-(((t - 0.42) / 0.13) ** 2))
  curve += wobble * np.sin(17 * t + phase) ** 2
  return (curve - curve.min()) / (curve.max() - curve.min())


def draw_video_branch(axes: Axes):
  """Inputs, separation and fusion, classifier, losses."""
  lane(axes, 46, 72, "Video branch", VIDEO)
  for bottom, name, loud in ((59.4, "normal", ()), (50.4, "anomalous", (3, 4))):
    strip(axes, 3, bottom, loud, VIDEO)
    note(axes, 8.2, bottom + 4.9, f"{name} video")
    arrow(axes, (13.7, bottom + 1.8), (17.5, bottom + 1.8))
  box(axes, 17.5, 49.5, 8.5, 15, "q, k, v\nshared\nmaps", VIDEO)
  axes.add_patch(
    FancyBboxPatch(
      (30, 47.6), 34, 21.4,
      boxstyle="round,pad=0,rounding_size=1", facecolor="white",
      edgecolor=VIDEO.line, lw=1.0, ls=(0, (4, 3)),
    )
  )  # fmt: skip
  note(axes, 47, 67.3, "separation and fusion (VSSF)", colour=VIDEO.line)
  names = (
    "self-attention of normal",
    "cross-attention: normal asks,\nanomalous answers",
    "self-attention of anomalous",
  )
  for bottom, name in zip((61, 54.9, 48.8), names, strict=True):
    box(axes, 31.5, bottom, 31, 4.9, name, VIDEO)
    arrow(axes, (26, bottom + 2.45), (31.5, bottom + 2.45))
    arrow(axes, (62.5, bottom + 2.45), (69, bottom + 2.45))
  box(axes, 69, 48.8, 8.5, 17.1, "fused\nfeatures", VIDEO)
  arrow(axes, (77.5, 62), (82, 62))
  box(axes, 82, 59, 13.5, 6, "video\nclassifier", VIDEO)
  arrow(axes, (95.5, 62), (99.3, 62))
  note(axes, 103.6, 62, "anomalous\nor not", colour=INK)
  arrow(axes, (77.5, 52.3), (82, 52.3))
  note(
    axes, 82.7, 52.3,
    "losses: separation (triplet),\ndissimilarity of the attentions,\n"
    "smoothness, sparsity",
    ha="left", colour=INK,
  )  # fmt: skip


def draw_pseudo_labels(axes: Axes):
  """Memory, denoising, labels."""
  lane(axes, 28, 43, "Pseudo-labels (PLG)", LABELS)
  arrow(axes, (40, 48.8), (40, 39.6), colour=LABELS.line)
  note(axes, 41.2, 44.5, "attention = raw pseudo-label", "left", LABELS.line)
  for i in range(3):
    left, bottom = 33 + 1.5 * i, 32.6 - 1.1 * i
    axes.add_patch(
      Rectangle(
        (left, bottom), 12, 6.4, zorder=2 + i,
        facecolor="white", edgecolor=LABELS.line, lw=1.0,
      )
    )  # fmt: skip
  axes.plot(
    np.linspace(36.6, 47.4, 60), 31.2 + 4.8 * hump(60, 0.3, 0.4),
    color=LABELS.line, lw=1.4, zorder=5,
  )  # fmt: skip
  note(
    axes, 31.4, 34, "memory: the\nlast H raw\nlabels of\neach video", "right"
  )
  arrow(axes, (48, 34.6), (53, 34.6))
  box(axes, 53, 35.4, 21, 4.8, r"high mean $\rightarrow$ 1, else 0", LABELS)
  box(axes, 53, 29.4, 21, 4.8, r"high variance $\rightarrow$ hard", LABELS)
  arrow(axes, (74, 34.6), (79, 34.6))
  for i, label in enumerate("000h11111h000"):
    axes.add_patch(
      Rectangle(
        (80 + 2 * i, 33.2), 2, 3.6,
        facecolor={"1": LABELS.line, "0": "white", "h": "#E3E3E3"}[label],
        edgecolor=LABELS.line, lw=1.0, hatch="////" if label == "h" else None,
      )
    )  # fmt: skip
    text = {"1": "1", "0": "0", "h": ""}[label]
    axes.text(
      81 + 2 * i, 34.9, text, fontsize=9, ha="center", va="center",
      color="white" if label == "1" else INK,
    )  # fmt: skip
  note(axes, 93, 39.3, "a label for each snippet, hard ones left out")


def draw_snippet_branch(axes: Axes):
  """Convolution, local windows, global blocks, classifier, scores."""
  lane(axes, 1, 25, "Snippet branch (alone in testing)", SNIPPET)
  strip(axes, 4, 9.2, (3, 4), SNIPPET)
  note(axes, 9.2, 14.1, "snippets")
  for y in (61.2, 52.2):
    axes.plot((2.2, 3), (y, y), color=GREY, lw=1.4)
  axes.plot((2.2, 2.2), (11, 61.2), color=GREY, lw=1.4)
  arrow(axes, (2.2, 11), (4.0, 11), colour=GREY)
  note(axes, 3.4, 44.5, "the same batch", "left")
  arrow(axes, (14.4, 11), (17.5, 11))
  box(axes, 17.5, 7, 10, 8, "convolution\n3 wide", SNIPPET)
  axes.plot((27.5, 29.2), (11, 11), color=INK, lw=1.4)
  axes.plot((29.2, 29.2), (4.1, 17.9), color=INK, lw=1.4)
  axes.plot((51, 51), (4.1, 17.9), color=INK, lw=1.4)
  for bottom, window in zip((16, 11.4, 6.8, 2.2), (2, 4, 6, 8), strict=True):
    arrow(axes, (29.2, bottom + 1.9), (32, bottom + 1.9))
    box(axes, 32, bottom, 17, 3.8, f"local attention ±{window}", SNIPPET)
    axes.plot((49, 51), (bottom + 1.9, bottom + 1.9), color=INK, lw=1.4)
  arrow(axes, (51, 11), (55, 11))
  for i in range(2):
    box(axes, 55 + 1.2 * (1 - i), 6 + 1.2 * (1 - i), 15, 9, "", SNIPPET)
  axes.text(
    62.5, 10.5, "two global\ntransformer\nblocks",
    fontsize=10.5, color=INK, ha="center", va="center", linespacing=1.25,
  )  # fmt: skip
  arrow(axes, (71.2, 11), (75, 11))
  box(axes, 75, 7.5, 10.5, 7, "snippet\nclassifier", SNIPPET)
  arrow(axes, (85.5, 11), (89, 11))
  axes.add_patch(
    Rectangle((89.5, 6), 17, 10, facecolor="white", edgecolor=SNIPPET.line)
  )
  axes.add_patch(
    Rectangle((95, 6), 4.6, 10, facecolor=LABELS.box, edgecolor="none")
  )
  scores = 0.06 + 0.86 * hump(18, 0.12, 0.4)
  axes.stairs(
    6 + 10 * scores, np.linspace(89.5, 106.5, 19),
    baseline=None, color=SNIPPET.line, lw=1.8,
  )  # fmt: skip
  note(axes, 98, 4, "when it happens", colour=INK)
  arrow(axes, (98, 32.9), (98, 16.3), colour=LABELS.line, both=True)
  note(axes, 97, 21.3, "loss: cross\nentropy", "right", LABELS.line)


def main():
  """Draws the image next to this file."""
  figure = Figure(figsize=(WIDTH / 10, HEIGHT / 10), facecolor="white")
  axes = figure.add_axes((0, 0, 1, 1))
  axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
  axes.axis("off")
  draw_video_branch(axes)
  draw_pseudo_labels(axes)
  draw_snippet_branch(axes)
  buffer = io.BytesIO()
  figure.savefig(buffer, dpi=160)
  # A few colours are enough, and a third of the size.
  picture = Image.open(buffer).convert("RGB").quantize(128)
  picture.save(Path(__file__).with_name("branches.png"), optimize=True)


if __name__ == "__main__":
  main()
