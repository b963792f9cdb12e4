"""The README's figures, made of what is in the repository alone: .github/floors.svg from the
folders under include/lumbar and what their headers include, .github/speed.svg from the README's
table of the times of other runtimes. A test makes them again and compares.

usage: python3 cmake/figures.py [FOLDER]      (.github unless given)
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INK, PALE, BLUE, ORANGE = "#24292f", "#eef2f7", "#2f6fb5", "#e07b1f"


class Svg:
    """A picture on white, so that it can be read on dark pages too."""

    def __init__(self, width, height, title):
        self.lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def text(self, x, y, text, anchor="start", size=13, colour=INK, weight="normal"):
        self.lines.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{colour}" font-weight="{weight}">{text}</text>')

    def rect(self, x, y, width, height, fill, stroke="none"):
        self.lines.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" '
            f'fill="{fill}" stroke="{stroke}"/>')

    def line(self, x1, y1, x2, y2, colour, extra=""):
        self.lines.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" {extra}/>')

    def save(self, path):
        path.write_text("\n".join(self.lines + ["</svg>", ""]), encoding="utf-8")


def readme():
    return (ROOT / "README.md").read_text("utf-8")


def folders():
    """Of each folder under include/lumbar the folders that its headers include."""
    below = {}
    for folder in sorted(p for p in (ROOT / "include/lumbar").iterdir() if p.is_dir()):
        below[folder.name] = {
            name
            for header in folder.rglob("*.hpp")
            for name in re.findall(r"#include <lumbar/([a-z_]+)/", header.read_text("utf-8"))
        } - {folder.name}
    return below


def what_is_in():
    """The README's word for each folder: as much of its row in the architecture's table as fits."""
    words = {}
    for name, text in re.findall(r"^\| `([a-z]+)/` \| (.+) \|$", readme(), re.M):
        parts = re.split(r"[;:]", re.sub(r" \([^)]*\)", "", text.replace("`", "")))[0].split(", ")
        while len(", ".join(parts)) > 36:
            parts.pop()
        words[name] = ", ".join(parts)
    return words


def draw_floors(path):
    below, words = folders(), what_is_in()

    def through(name):  # everything under a folder, by any way
        return below[name].union(*(through(other) for other in below[name]))

    # An arrow for what is included and not under another folder that is included; a folder's floor
    # is one above the highest of them.
    arrows = {name: {other for other in below[name]
                     if not any(other in through(third) for third in below[name])}
              for name in below}
    floor = {}
    while len(floor) < len(below):
        for name in below:
            if all(other in floor for other in below[name]):
                floor[name] = 1 + max((floor[other] for other in below[name]), default=-1)

    width, box, height, step = 900, 200, 46, 86
    top = max(floor.values())
    svg = Svg(width, 20 + (top + 1) * step, "The folders of include/lumbar and what they include")
    svg.text(width / 2, 26, "include/lumbar: an arrow is an #include; none goes up", "middle", 15,
             weight="bold")
    place = {}
    for level in range(top, -1, -1):  # below what includes it, as far as there is room
        def wish(name):
            above = [place[other][0] for other in place if name in arrows[other]]
            return sum(above) / len(above) if above else width / 2, name

        names = sorted((name for name in below if floor[name] == level), key=wish)
        for i, name in enumerate(names):
            place[name] = (width * (i + 0.5) / len(names), 46 + (top - level) * step)
    svg.lines.append(
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{BLUE}"/></marker></defs>')
    for name in sorted(arrows):
        for other in sorted(arrows[name]):
            (x1, y1), (x2, y2) = place[name], place[other]
            y1, y2 = y1 + height, y2 - 1
            middle = (y1 + y2) / 2
            svg.lines.append(
                f'<path d="M{x1:g},{y1:g} C{x1:g},{middle:g} {x2:g},{middle:g} {x2:g},{y2:g}" '
                f'fill="none" stroke="{BLUE}" stroke-width="1.4" marker-end="url(#tip)"/>')
    for name, (x, y) in place.items():
        svg.rect(x - box / 2, y, box, height, PALE, INK)
        svg.text(x, y + 19, name + "/", "middle", 15, weight="bold")
        svg.text(x, y + 36, words[name], "middle", 11)
    svg.save(path)


def draw_speed(path):
    table = re.search(r"^\| threads \| (.+) \|\n\|[-|]+\|\n((?:\| \d+ \|.*\n)+)", readme(), re.M)
    networks = [name.strip() for name in table[1].split("|")]
    threads = {}
    for row in table[2].strip().splitlines():
        first, *ratios = (cell.strip() for cell in row.strip("|").split("|"))
        threads[first] = [float(ratio) for ratio in ratios]
        assert len(ratios) == len(networks), row

    left, right, bar, gap, y0 = 150, 60, 13, 12, 66
    width = 760
    pitch = bar * len(threads) + gap
    height = y0 + pitch * len(networks) + 34
    most = max(max(ratios) for ratios in threads.values())
    scale = (width - left - right) / most
    svg = Svg(width, height, "Time of the fastest other runtime, divided by Lumbar's")
    svg.text(16, 24, "Time of the fastest of six other runtimes, divided by Lumbar's (batch 1)",
             size=14, weight="bold")
    colours = dict(zip(threads, (BLUE, ORANGE)))
    for i, (count, colour) in enumerate(colours.items()):
        svg.rect(left + 110 * i, 38, 12, 12, colour)
        svg.text(left + 110 * i + 18, 48, f"{count} thread{'s' if count != '1' else ''}")
    for k, name in enumerate(networks):
        y = y0 + k * pitch
        mean = name == "geometric mean"
        svg.text(left - 8, y + pitch / 2 - gap / 2 + 4, "MobileNet " + name if name in
                 ("v2", "v3 large", "v3 small") else name.replace("mobilenet v1", "MobileNet v1"),
                 "end", weight="bold" if mean else "normal")
        for i, count in enumerate(threads):
            ratio = threads[count][k]
            svg.rect(left, y + i * bar, ratio * scale, bar - 1, colours[count])
            svg.text(left + ratio * scale + 5, y + i * bar + 10, f"{ratio:.2f}", size=11)
    svg.line(left + scale, y0 - 6, left + scale, height - 30, INK, 'stroke-dasharray="4 3"')
    svg.text(left + scale, height - 14, "right of the line Lumbar is faster", "middle", 11)
    svg.save(path)


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".github"
    draw_floors(out / "floors.svg")
    draw_speed(out / "speed.svg")
