"""The results as a Markdown table, an SVG chart and JSON."""

import html
import json
import statistics

BUSY = 0.1  # cores
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#9c6b4e")


def fastest(row):
    """The fastest other runtime of a row, or None."""
    others = {name: t["median"] for name, t in row["times"].items() if name != "lumbar"}
    return min(others, key=others.get, default=None)


def ratio(row):
    """Its time over Lumbar's, or None: above 1 Lumbar is faster."""
    name = fastest(row)
    return name and row["times"][name]["median"] / row["times"]["lumbar"]["median"]


def milliseconds(seconds):
    return f"{1e3 * seconds:.3g}" if seconds < 0.9995 else f"{1e3 * seconds:.0f}"


def progress(row, runtimes):
    """One line about a row that was just measured."""
    times = ", ".join(
        f"{runtimes[name]['title']} {milliseconds(t['median'])}" for name, t in row["times"].items()
    )
    end = f"; ratio {ratio(row):.3f}" if fastest(row) else ""
    return f"{row['model']}, {row['threads']} thread(s), {row['rounds']} rounds, ms: {times}{end}"


def table(result, threads):
    runtimes = result["runtimes"]
    rows = [row for row in result["rows"] if row["threads"] == threads]
    titles = [runtime["title"] for runtime in runtimes.values()]
    lines = [
        "| ms | " + " | ".join(titles) + " | fastest other | its time / Lumbar's |",
        "|---|" + "---|" * (len(titles) + 2),
    ]
    for row in rows:
        cells = [
            milliseconds(row["times"][name]["median"]) if name in row["times"] else "-"
            for name in runtimes
        ]
        name = fastest(row)
        verdict = [runtimes[name]["title"], f"{ratio(row):.3f}"] if name else ["-", "-"]
        lines.append(f"| {row['model']} | " + " | ".join(cells + verdict) + " |")
    ratios = [ratio(row) for row in rows]
    if ratios and None not in ratios:
        lines.append("| geometric mean |" + " |" * (len(titles) + 1)
                     + f" {statistics.geometric_mean(ratios):.3f} |")
    return lines


def markdown(result):
    lines = [
        "# Lumbar beside other runtimes", "",
        f"{result['cpu']}, {result['cores']} cores, {result['system']}, {result['started']} UTC. "
        "Batch 1, float32, medians.", "",
    ]
    for threads in dict.fromkeys(row["threads"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["threads"] == threads]
        peak = statistics.median(row["peak_flops"] for row in rows) * 1e-9
        latencies = [row["core_to_core_seconds"] for row in rows if row["core_to_core_seconds"]]
        machine = f"multiply-add peak of a core {peak:.0f} GFLOP/s"
        if latencies:
            machine += f", core to core {1e9 * statistics.median(latencies):.0f} ns"
        strangers = statistics.mean(row["strangers_cores"] for row in rows)
        machine += f", other programs used {strangers:.2f} cores meanwhile"
        if strangers > BUSY:
            machine += " (**too busy a machine: these times say little**)"
        rounds = min(row["rounds"] for row in rows)
        lines += [f"## {threads} thread{'s' if threads > 1 else ''}", "",
                  f"At least {rounds} rounds; {machine}.", "", *table(result, threads), ""]
    lines += ["## Runtimes", "", "| runtime | version | settings | largest error |",
              "|---|---|---|---|"]
    for name, runtime in result["runtimes"].items():
        errors = [row["times"][name]["error"] for row in result["rows"] if name in row["times"]]
        error = f"{max(errors):.1e}" if errors else "-"
        lines.append(f"| {runtime['title']} | {runtime['version']} | {runtime['settings']} | "
                     f"{error} |")
    lines += ["", "Errors are differences from PyTorch's logits, in units of the largest logit.",
              ""]
    for fault in unique(result["faults"]):
        where = f" on {fault['model']}" if fault["model"] else ""
        lines.append(f"- {fault['title']}{where}: {fault['what']}")
    return "\n".join(lines).rstrip() + "\n"


def unique(items):
    return [item for i, item in enumerate(items) if item not in items[:i]]


# --- The chart ------------------------------------------------------------------------------------

LEFT, WIDTH, BAR, GAP, HEAD = 150, 560, 9, 10, 84  # in pixels


def chart(result):
    """Horizontal bars: each runtime's time over Lumbar's, a panel for each number of threads."""
    names = [name for name in result["runtimes"] if name != "lumbar"]
    colours = dict(zip(names, COLOURS))
    panels = list(dict.fromkeys(row["threads"] for row in result["rows"]))
    ratios = [
        t["median"] / row["times"]["lumbar"]["median"]
        for row in result["rows"] for t in row["times"].values()
    ]
    limit = min(max([1.5, *ratios]), 5.0)  # longer bars are cut, and their number says so
    groups = {threads: [r for r in result["rows"] if r["threads"] == threads] for threads in panels}
    group = len(names) * BAR + GAP
    height = HEAD + max(len(rows) for rows in groups.values()) * group + 40
    panel = LEFT + WIDTH + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{panel * len(panels)}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        text(20, 24, f"Time relative to Lumbar (longer: Lumbar is faster). {result['cpu']}, "
                     "batch 1, float32", 'font-size="15"'),
    ]
    x = 20
    for name in names:
        title = result["runtimes"][name]["title"]
        parts += [f'<rect x="{x}" y="36" width="11" height="11" fill="{colours[name]}"/>',
                  text(x + 16, 46, title)]
        x += 34 + 7 * len(title)
    for i, threads in enumerate(panels):
        parts += panel_of(groups[threads], i * panel, threads, limit, names, colours)
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel_of(rows, x, threads, limit, names, colours):
    left, scale = x + LEFT, WIDTH / limit
    bottom = HEAD + len(rows) * (len(names) * BAR + GAP)
    yield text(left, HEAD - 16, f"{threads} thread{'s' if threads > 1 else ''}",
               'font-weight="bold"')
    for step in range(int(limit / 0.5) + 1):
        at = left + step * 0.5 * scale
        yield line(at, HEAD - 8, bottom, "#dddddd")
        yield text(at, bottom + 16, f"{step * 0.5:g}", 'text-anchor="middle"')
    y = HEAD
    for row in rows:
        lumbar = row["times"]["lumbar"]["median"]
        yield text(left - 8, y + len(names) * BAR / 2 + 4, row["model"], 'text-anchor="end"')
        for name in names:
            if name in row["times"]:
                value = row["times"][name]["median"] / lumbar
                width = min(value, limit) * scale
                yield (f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{BAR - 1}" '
                       f'fill="{colours[name]}"/>')
                yield text(left + width + 4, y + BAR - 1, f"{value:.2f}", 'font-size="8.5"')
            y += BAR
        y += GAP
    yield line(left + scale, HEAD - 8, bottom, "#000000")


def text(x, y, content, style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{html.escape(content)}</text>'


def line(x, top, bottom, colour):
    return f'<path d="M{x:.1f} {top}V{bottom}" stroke="{colour}"/>'


def write(result, folder, json_path):
    """Writes all three; gives the table and where the files are."""
    tables = markdown(result)
    (folder / "comparison.md").write_text(tables)
    (folder / "comparison.svg").write_text(chart(result))
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(result, indent=1) + "\n")
    return f"{tables}\nIn {folder}: comparison.md, comparison.svg; JSON: {json_path}"
