"""Pictures of a scenario's rows, as SVG: what it forwards, and how long that takes."""
import html
import math

from .report import by_case

WIDTH, LEFT, RIGHT = 860, 150, 210
LINE, GAP = 18, 34
COLOURS = ["#1b6ca8", "#d1495b", "#edae49", "#66a182", "#6b4c9a", "#8d6a3f", "#4f5d75"]


class Picture:
    """Lines of text and bars from top to bottom."""

    def __init__(self, title):
        self.y = 24
        self.parts = []
        self.text(10, title, size=15)
        self.y += GAP

    def text(self, x, words, size=12, anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{self.y}" font-size="{size}" text-anchor="{anchor}">{html.escape(words)}</text>')

    def bar(self, x, width, colour, height=12, opacity=1.0):
        self.parts.append(f'<rect x="{x:.1f}" y="{self.y - 11 + (12 - height) / 2}" width="{max(width, 1):.1f}" '
                          f'height="{height}" fill="{colour}" opacity="{opacity}"/>')

    def write(self, path):
        with open(path, "w") as f:
            f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y}" '
                    f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>\n'
                    + "\n".join(self.parts) + "\n</svg>\n")


def _colours(rows):
    names = list(dict.fromkeys(row["device"] for row in rows))
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def throughput(scenario, rows, path):
    picture, colours = Picture(f"{scenario}: Mpps (more is better)"), _colours(rows)
    scale = (WIDTH - LEFT - RIGHT) / (max(row["mpps"] for row in rows) or 1)
    for (_, case), of_case in by_case(rows).items():
        picture.text(10, case.text(), size=13)
        for row in of_case:
            picture.y += LINE
            picture.text(LEFT - 8, row["device"], anchor="end")
            picture.bar(LEFT, row["mpps"] * scale, colours[row["device"]])
            picture.text(LEFT + row["mpps"] * scale + 6, f"{row['mpps']:.2f}, {row['cycles_per_packet']:.0f} cycles/packet")
        picture.y += GAP
    picture.write(path)


def latency(scenario, rows, path):
    """A thick bar from p50 to p99 and a thin one up to p99.9, from 0.1 us to 100 ms, for each load."""
    picture, colours = Picture(f"{scenario}: latency p50 – p99 – p99.9 in µs, logarithmic"), _colours(rows)

    def x(us):
        return LEFT + (WIDTH - LEFT - RIGHT) * (min(max(math.log10(max(us, 0.1)), -1), 5) + 1) / 6

    for (_, case), of_case in by_case(rows).items():
        picture.text(10, case.text(), size=13)
        for row in of_case:
            for load, at in row["latency_at"].items():
                picture.y += LINE
                picture.text(LEFT - 8, f"{row['device']} {load} %", anchor="end")
                picture.bar(x(at["p50"]), x(at["p99"]) - x(at["p50"]), colours[row["device"]])
                picture.bar(x(at["p50"]), x(at["p999"]) - x(at["p50"]), colours[row["device"]], height=3, opacity=0.6)
                picture.text(WIDTH - RIGHT + 10, f"{at['p50']:.1f} / {at['p99']:.1f} / {at['p999']:.1f}")
        picture.y += GAP
    picture.write(path)


def write_all(directory, rows):
    directory.mkdir(parents=True, exist_ok=True)
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        of_scenario = [row for row in rows if row["scenario"] == scenario]
        throughput(scenario, of_scenario, directory / f"{scenario}-mpps.svg")
        if any(row["latency_at"] for row in of_scenario):
            latency(scenario, of_scenario, directory / f"{scenario}-latency.svg")
