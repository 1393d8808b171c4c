"""Results as a Markdown table and an SVG chart: medians, and their ratios to restic's."""

import html
import statistics

from measuring import LEAST_MB, Measured

YARDSTICK = "restic"
COLOURS = ("#1b6ca8", "#9a9a9a", "#c98b2b", "#5d8f57", "#8a5a9e", "#b0544f", "#4b5563")
BACKGROUND = "#fcfcfa"
FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"
LABELS, PANEL, GAP, BAR, LINE = 345, 380, 30, 13, 17
LONGEST = 1.6  # ratio at which a bar is cut


def median(samples: list[Measured], field: str) -> float | None:
    values = [value for value in (getattr(sample, field) for sample in samples) if value is not None]
    return statistics.median(values) if values else None


class Results:
    """Samples by work and program, both in the order in which they first came."""

    def __init__(self):
        self.samples: dict[str, dict[str, list[Measured]]] = {}
        self.programs: list[str] = []

    def add(self, work: str, program: str, sample: Measured) -> None:
        self.samples.setdefault(work, {}).setdefault(program, []).append(sample)
        if program not in self.programs:
            self.programs.append(program)

    def median(self, work: str, program: str, field: str) -> float | None:
        return median(self.samples[work].get(program, []), field)

    def ratio(self, work: str, program: str, field: str) -> float | None:
        mine, other = self.median(work, program, field), self.median(work, YARDSTICK, field)
        return mine / other if mine is not None and other else None

    def rounds(self) -> int:
        return max((len(samples) for work in self.samples.values() for samples in work.values()), default=0)


def rounds(results: Results) -> str:
    return "1 round" if results.rounds() == 1 else f"{results.rounds()} rounds"


def size(value: float) -> str:
    return f"{value / 1e6:,.1f} MB" if value >= 1e6 else f"{value / 1e3:,.1f} kB"


def cell(results: Results, work: str, program: str, field: str) -> str:
    value = results.median(work, program, field)
    if value is None:
        return ""
    if field == "peak_mb":
        text = f"{value:.0f} MB" if value > LEAST_MB else f"under {LEAST_MB} MB"
    else:
        text = {"seconds": lambda: f"{value:.2f} s", "cpu": lambda: f"{value:.2f} s", "stored": lambda: size(value), "transferred": lambda: size(value),
                "requests": lambda: f"{value:.0f}", "connections": lambda: f"{value:.0f}"}[field]()
    ratio = results.ratio(work, program, field)
    return f"{text} ({ratio:.2f})" if ratio is not None and program != YARDSTICK else text


def table(results: Results) -> str:
    """A line for each work and program. In brackets: the ratio to the yardstick."""
    fields = {"clock": "seconds", "processor": "cpu", "peak memory": "peak_mb", "stored": "stored", "requests": "requests",
              "connections": "connections", "bytes on the wire": "transferred"}
    used = {name: field for name, field in fields.items()
            if any(results.median(work, program, field) is not None
                   for work, programs in results.samples.items() for program in programs)}
    lines = [f"| work | program | {' | '.join(used)} |", f"| --- | --- | {' | '.join('---:' for _ in used)} |"]
    for work, programs in results.samples.items():
        shown = work
        for program in results.programs:
            if program in programs:
                cells = " | ".join(cell(results, work, program, field) for field in used.values())
                lines.append(f"| {shown} | {program} | {cells} |")
                shown = ""
    return "\n".join(lines)


def document(results: Results, facts: dict[str, str], chart: str) -> str:
    lines = ["# Measured", "", f"Medians of {rounds(results)}, the programs in turn; in brackets the ratio to "
             f"{YARDSTICK}. Warm cache; MB are decimal.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, "", f"![ratios]({chart})", "", table(results), ""])


def text(x: float, y: float, content: str, size: int = 12, colour: str = "#222", weight: str = "normal") -> str:
    """With a rim of the background's colour, so that it can be read across a line."""
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' font-weight='{weight}' {FONT} "
            f"stroke='{BACKGROUND}' stroke-width='3' paint-order='stroke'>{html.escape(content)}</text>")


def chart(results: Results, caption: str) -> str:
    """A bar for each work and program, its length the ratio to the yardstick; for the clock and for the processor."""
    works = [work for work in results.samples if results.median(work, YARDSTICK, "seconds") is not None]
    colours = dict(zip(results.programs, COLOURS))
    width = 20 + LABELS + 2 * PANEL + GAP + 20
    out = []
    x = 20.0
    for program in results.programs:
        out.append(f"<rect x='{x:.1f}' y='48' width='12' height='12' fill='{colours[program]}'/>")
        out.append(text(x + 17, 59, program))
        x += 17 + 7.5 * len(program) + 25
    panels = (("seconds", "seconds of the clock", 20 + LABELS), ("cpu", "seconds of processor", 20 + LABELS + PANEL + GAP))
    scale = (PANEL - 95) / LONGEST
    top = y = 100.0
    for work in works:
        programs = [program for program in results.programs if program in results.samples[work]]
        height = len(programs) * LINE + 14
        out.append(text(20, y + 11, work))
        for field, _, left in panels:
            for number, program in enumerate(programs):
                at = y + number * LINE
                value, ratio = results.median(work, program, field), results.ratio(work, program, field)
                if value is None or ratio is None:
                    continue
                long = min(ratio, LONGEST) * scale
                out.append(f"<rect x='{left:.1f}' y='{at:.1f}' width='{max(long, 1):.1f}' height='{BAR}' "
                           f"fill='{colours[program]}'/>")
                cut = "… " if ratio > LONGEST else ""
                shown = f"{cut}{value:.2f} s" + (f" · {ratio:.2f}" if program != YARDSTICK else "")
                out.append(text(left + long + 5, at + 11, shown, 11))
        y += height
    for _, name, left in panels:
        out.append(text(left, top - 14, f"{name}; {YARDSTICK} is 1", 12, weight="bold"))
        one = left + scale
        out.insert(0, f"<line x1='{one:.1f}' y1='{top - 6:.1f}' x2='{one:.1f}' y2='{y - 8:.1f}' stroke='#d5d5d5'/>")
    out.append(text(20, 28, "cairn and others on the same data", 16, weight="bold"))
    out.append(text(20, y + 12, caption, 11, colour="#555"))
    height = y + 28
    return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height:.0f}' viewBox='0 0 {width} {height:.0f}'>\n"
            f"<rect width='100%' height='100%' fill='{BACKGROUND}'/>\n" + "\n".join(out) + "\n</svg>\n")
