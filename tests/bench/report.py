"""Results as Markdown tables and an SVG chart: medians, and their ratios to restic's.

  tests/bench/report.py OUTPUT_DIR BENCH.JSON...

puts the results of several runs, each of other works, together: results.md and results.svg. All are of the same cairn."""

import dataclasses
import html
import json
import pathlib
import statistics
import sys

from measuring import LEAST_MB, Measured

YARDSTICK = "restic"
CAIRNS = ("cairn", "cairn, encrypted")
NOT_COMPARED = "not compared"  # a fact: programs that were not installed
COLOURS = ("#1b6ca8", "#7db8e0", "#9a9a9a", "#c98b2b", "#5d8f57", "#8a5a9e", "#b0544f", "#4b5563")
BACKGROUND = "#fcfcfa"
FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"
LABELS, PANEL, GAP, BAR, LINE = 265, 380, 30, 13, 17
LONGEST = 1.6  # ratio at which a bar is cut
SPREAD = 3  # samples from which on the least and the most are told

NOT_THE_SAME = (
    "restic and rustic always encrypt, and derive a key from a password at each command",
    '"cairn" is a store without encryption; "cairn, encrypted" one sealed for a recipient, whose identity only restore and verify '
    "get",
    "borg is set to zstd,3 and no encryption",
    "the proxy at 20 and 80 ms delays connects and answers; it does not limit bandwidth and has no slow start, which helps who "
    "opens fewer connections",
    "the 1,000 snapshots are of cairn alone, all their packs live and without content blocks: removal there costs requests, not "
    "bytes",
    "the growing pages are 64 texts in turn, so what they store goes by how long a program's pieces happen to be; they are for "
    "the memory",
    "plain tools do less",
)


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

    def compared(self) -> list[str]:
        """The works that the yardstick does, too, where the clock is told."""
        return [work for work in self.samples if self.median(work, YARDSTICK, "seconds") is not None]

    def rounds(self, work: str | None = None, program: str | None = None) -> int:
        """The most that one of these has."""
        return max((len(samples) for name, programs in self.samples.items() if work in (None, name)
                    for which, samples in programs.items() if program in (None, which)), default=0)

    def name(self, work: str) -> str:
        """With its rounds, where they are fewer than those of others."""
        return work if self.rounds(work) == self.rounds() else f"{work} ({count_rounds(self.rounds(work))})"

    def told_rounds(self) -> str:
        most = self.rounds()
        fewer = [f"{program}: {self.rounds(program=program)}" for program in self.programs if self.rounds(program=program) < most]
        return count_rounds(most) + (f" ({', '.join(fewer)})" if fewer else "")

    def to_json(self) -> dict:
        return {work: {program: [dataclasses.asdict(sample) for sample in samples] for program, samples in programs.items()}
                for work, programs in self.samples.items()}

    def add_json(self, raw: dict) -> None:
        for work, programs in raw.items():
            for program, samples in programs.items():
                for sample in samples:
                    self.add(work, program, Measured(**sample))


def count_rounds(number: int) -> str:
    return "1 round" if number == 1 else f"{number} rounds"


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


def spread(results: Results, work: str, program: str, field: str) -> str:
    """The least and the most of the clock."""
    values = [sample.seconds for sample in results.samples[work][program] if sample.seconds is not None]
    return f" {min(values):.2f}–{max(values):.2f}" if field == "seconds" and len(values) >= SPREAD else ""


def table(results: Results) -> str:
    """A line for each work and program. In brackets: the ratio to the yardstick; after the clock its least and its most."""
    fields = {"clock": "seconds", "processor": "cpu", "peak memory": "peak_mb", "stored": "stored", "requests": "requests",
              "connections": "connections", "bytes on the wire": "transferred"}
    used = {name: field for name, field in fields.items()
            if any(results.median(work, program, field) is not None
                   for work, programs in results.samples.items() for program in programs)}
    lines = [f"| work | program | {' | '.join(used)} |", f"| --- | --- | {' | '.join('---:' for _ in used)} |"]
    for work, programs in results.samples.items():
        shown = results.name(work)
        for program in results.programs:
            if program in programs:
                cells = " | ".join(cell(results, work, program, field) + spread(results, work, program, field)
                                   for field in used.values())
                lines.append(f"| {shown} | {program} | {cells} |")
                shown = ""
    return "\n".join(lines)


def summary(results: Results) -> str:
    """A line for each work that the yardstick does, a column for each program: the clock."""
    lines = [f"| work | {' | '.join(results.programs)} |", f"| --- | {' | '.join('---:' for _ in results.programs)} |"]
    for work in results.compared():
        cells = " | ".join(cell(results, work, program, "seconds") if program in results.samples[work] else ""
                           for program in results.programs)
        lines.append(f"| {results.name(work)} | {cells} |")
    return "\n".join(lines)


def document(results: Results, facts: dict[str, str], chart: str) -> str:
    lines = ["# Measured", "", f"Medians of {results.told_rounds()}, the programs in turn; in brackets the ratio to "
             f"{YARDSTICK}, of whose rounds all count, also for programs with fewer rounds. Warm cache; MB are decimal.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    unlike = [f"- {each}" for each in NOT_THE_SAME]
    return "\n".join([*lines, "", f"![ratios]({chart})", "", "## What is not the same", "", *unlike, "", "## The clock", "",
                      summary(results), "", "## Everything", "", table(results), ""])


def write(directory: pathlib.Path, name: str, results: Results, facts: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    caption = f"medians of {results.told_rounds()}, {facts['date']}, {facts['machine']}"
    (directory / f"{name}.svg").write_text(chart(results, caption))
    (directory / f"{name}.md").write_text(document(results, facts, f"{name}.svg"))


def text(x: float, y: float, content: str, size: int = 12, colour: str = "#222", weight: str = "normal") -> str:
    """With a rim of the background's colour, so that it can be read across a line."""
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' font-weight='{weight}' {FONT} "
            f"stroke='{BACKGROUND}' stroke-width='3' paint-order='stroke'>{html.escape(content)}</text>")


def chart(results: Results, caption: str) -> str:
    """A bar for each work and program, its length the ratio to the yardstick; for the clock and for the processor."""
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
    for work in results.compared():
        programs = [program for program in results.programs if program in results.samples[work]]
        height = len(programs) * LINE + 14
        for line, part in enumerate(results.name(work).split(": ", 1)):
            out.append(text(20, y + 11 + line * LINE, part, colour="#222" if line == 0 else "#555"))
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


def merge(facts: dict[str, str], more: dict[str, str], path: str) -> None:
    """Both where they differ; but no two cairns."""
    for name, value in more.items():
        if (known := facts.setdefault(name, value)) != value:
            if name in CAIRNS:
                sys.exit(f"{path}: measured another cairn: {value}; the results before are of {known}")
            facts[name] = f"{known}; {value}"


def main() -> int:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    results, facts = Results(), {}
    for path in sys.argv[2:]:
        raw = json.loads(pathlib.Path(path).read_text())
        if repeated := results.samples.keys() & raw["samples"].keys():
            sys.exit(f"{path}: measured in another run, too: {', '.join(sorted(repeated))}")
        results.add_json(raw["samples"])
        merge(facts, raw["facts"], path)
    write(pathlib.Path(sys.argv[1]), "results", results, facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
