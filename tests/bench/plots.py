# SPDX-License-Identifier: MIT
"""A figure as SVG by gnuplot: a panel per metric and panel value; full lines bare, dashed the shim."""
import shutil
import subprocess

from figs.model import WORDS

WIDTH, HEIGHT, TITLE = 520, 300, 20  # of a panel; of a line in its key
WIDEST = 720  # a single column may be as wide
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8e5ea2", "#e08e1b", "#4a4e4d", "#00a6a6", "#b0413e",
           "#6b705c", "#c06c84")
NAMES = {"bare": "", "auto": " + shim"}


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def values(data, figure, metric, panel):
    """(series index, series, variant) -> [(x, spread)]"""
    found = {}
    for i, series in enumerate(figure.series):
        for variant in NAMES:
            points = [(x, data.spread(cell, variant, metric))
                      for s, p, x, cell in figure.grid() if s == series and p == panel]
            points = [(x, spread) for x, spread in points if spread]
            if points:
                found[i, series.name, variant] = points
    return found


def short(value):
    """As a tick's label."""
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def x_range(axis):
    """A twentieth more on both sides, so that no point lies on the frame."""
    low, high = min(axis.values), max(axis.values)
    if axis.is_log:
        room = (high / low) ** 0.05
        return low / room, high * room
    room = (high - low) * 0.05
    return low - room, high + room


def lines_panel(figure, found):
    """Data blocks and the plot command."""
    blocks, plots = "", []
    for n, ((i, name, variant), points) in enumerate(found.items()):
        blocks += block(f"d{n}", [f"{x:g} {s.middle:g} {s.low:g} {s.high:g}" for x, s in points])
        dash = "dashtype 2 pointtype 6" if variant == "auto" else "dashtype 1 pointtype 7"
        style = f"linecolor rgb '{COLOURS[i]}' {dash} pointsize 0.5 linewidth 1.5"
        plots.append(f"$d{n} using 1:2:3:4 with yerrorlines {style} title "
                     f"{quoted(name + NAMES[variant])}")
    scale = "set logscale x\n" if figure.x.is_log else "unset logscale x\n"
    ticks = ", ".join(f"'{short(x)}' {x:g}" for x in figure.x.values)
    low, high = x_range(figure.x)
    return blocks, (f"{scale}set xtics ({ticks})\nset xrange [{low:g}:{high:g}]\nplot "
                    + ", \\\n  ".join(plots))


def bars_panel(figure, found):
    """Clusters by series and x, a bar each for bare and shim."""
    labels = list(dict.fromkeys((name, x) for (_, name, _), points in found.items()
                                for x, _ in points))
    lines = []
    for name, x in labels:
        row = [dict(found.get((i, name, variant), ())).get(x)
               for variant in NAMES for i in range(len(figure.series))
               if figure.series[i].name == name]
        label = name if len(figure.x.values) == 1 else f"{name}, {x:g}"
        lines.append(f'"{label}" ' + " ".join(f"{s.middle:g}" if s else "0" for s in row))
    plots = [f"$d using {n + 2}:xtic(1) title {quoted(title)} linecolor rgb '{COLOURS[n]}'"
             for n, title in enumerate(("bare", "shim"))]
    return block("d", lines), ("unset logscale x\nset style data histogram\nset style fill solid "
                               "0.7\nset boxwidth 0.9\nset xtics rotate by -35\nplot "
                               + ", ".join(plots))


def script(data, figure, path):
    """The gnuplot program; "" where nothing is measured."""
    metrics = (figure.metric, *figure.also)
    panels = figure.panel.values if figure.panel else (None,)
    draw = bars_panel if figure.plot == "bars" else lines_panel
    text, rows, columns = "", 0, len(panels)
    for metric in metrics:
        found = {panel: values(data, figure, metric, panel) for panel in panels}
        if not any(found.values()):
            continue
        rows += 1
        for panel in panels:
            if not found[panel]:
                text += "set multiplot next\n"
                continue
            title = f"{figure.panel.label}: {panel}" if figure.panel else ""
            blocks, plot = draw(figure, found[panel])
            text += (f"{blocks}set title {quoted(title)}\nset ylabel {quoted(WORDS[metric])}\n"
                     f"set xlabel {quoted(figure.x.label if figure.plot == 'lines' else '')}\n"
                     f"set yrange [0:*]\n{plot}\n")
    if not rows:
        return ""
    height = max(HEIGHT, TITLE * len(NAMES) * len(figure.series))
    width = max(WIDTH * columns, WIDEST)
    return (f"set terminal svg size {width},{height * rows} font 'sans,10' "
            f"background rgb 'white'\nset output {quoted(path)}\nset key outside right center\n"
            f"set grid ytics linecolor rgb '#dddddd'\nset offsets 0, 0, graph 0.05, 0\n"
            f"set multiplot layout {rows},{columns} title {quoted(figure.id + ': ' + figure.title)}"
            f" noenhanced\nset title noenhanced\nset key noenhanced\nset xtics noenhanced\n"
            f"{text}unset multiplot\n")


def draw(data, figure, path):
    """Whether there is a plot now."""
    text = script(data, figure, path)
    if not text or not shutil.which("gnuplot"):
        return False
    done = subprocess.run(["gnuplot"], input=text, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"gnuplot, {figure.id}: {done.stderr[-500:]}")
    return True
