# SPDX-License-Identifier: MIT
"""The papers' figures: one file each, p1_fig11.py is Fig. 11 of paper 1. model.py says what they are."""
import importlib
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def order(name):
    paper, kind, number = re.fullmatch(r"p(\d)_(tab|fig)(\d+)", name).groups()
    return int(paper), kind == "fig", int(number)


def load():
    names = [name[:-3] for name in os.listdir(HERE) if re.match(r"p\d_", name)]
    return [importlib.import_module(f"figs.{name}").FIGURE for name in sorted(names, key=order)]


ALL = load()


def choose(words):
    """
    Figures by words: "all", "1-fig11", "tab6", or a number, which is the figure of that number of
    every paper. KeyError for a word that finds none.
    """
    found = []
    for word in words.split(","):
        matching = [f for f in ALL if word in ("all", f.id) or
                    {f.id.split("-")[1], *f.covers} & {word, "fig" + word}]
        if not matching:
            raise KeyError(word)
        found += matching
    return [f for f in ALL if f in found]


def cells_by_id():
    return {cell.id: cell for f in ALL for cell in f.cells()}
