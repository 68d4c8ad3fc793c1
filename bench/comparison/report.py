"""From samples to rows, and from rows to JSON and Markdown."""
import json
import statistics

from .scenarios import Case

PERCENTILES = ("p50", "p99", "p999")
PRESSURE = 0.1  # if the device takes nearly all at once, the generator may be what limits


def _calm(cycles):
    """What a tenth of the rounds stayed below: those in which the machine did nothing else."""
    return sorted(cycles)[len(cycles) // 10]


def row(scenario, case, device, samples, latencies, no_drop):
    """A flat row of medians; spread is (most - least) / median of Mpps."""
    mpps = statistics.median(s.mpps for s in samples)
    latency = {str(load): {p: round(statistics.median(sample[p] for sample in of_load), 2) for p in PERCENTILES}
               for load, of_load in latencies.items() if of_load}
    return {
        "scenario": scenario.name, "frame": case.frame, "flows": case.flows, "ip": case.ip, "device": device,
        "mpps": round(mpps, 3),
        "gbps": round(mpps * 8 * samples[0].frame / 1e3, 3),
        "cycles_per_packet": round(statistics.median(s.cycles for s in samples), 1),
        "cycles_p10": round(_calm([s.cycles for s in samples]), 1),
        "loss": round(statistics.median(s.loss for s in samples), 6),
        "no_drop": no_drop,
        "latency_us": latency.get("50"), "latency_at": latency,
        "spread": round((max(s.mpps for s in samples) - min(s.mpps for s in samples)) / mpps, 3) if mpps else 0,
        "rounds": len(samples),
        "limited_by": "device" if statistics.median(s.pressure for s in samples) > PRESSURE else "generator",
        "pressure": round(statistics.median(s.pressure for s in samples), 3),
    }


def by_case(rows):
    """{(name of the scenario, case): its rows}"""
    cases = {}
    for entry in rows:
        cases.setdefault((entry["scenario"], Case(entry["frame"], entry["flows"], entry["ip"])), []).append(entry)
    return cases


def write_json(path, rows):
    with open(path, "w") as f:
        json.dump({"results": rows}, f, indent=1)
        f.write("\n")


def _ratio(a, b):
    return f"{a / b:.2f}" if b else "–"


def _share(percent):
    return f"{percent} %" if percent is not None else "–"


def _latency(entry, load):
    latency = entry["latency_at"].get(str(load))
    return " / ".join(f"{latency[p]:.1f}" for p in PERCENTILES) if latency else "–"


def markdown(rows):
    """One table for each scenario and case. The ratios are this device's cycles and the first one's."""
    lines = []
    for (scenario, case), entries in by_case(rows).items():
        first = entries[0]
        lines += [f"### {scenario}, {case.text()}", "",
                  f"| device | Mpps | spread | Gb/s | cycles/packet | p10 | {first['device']} is × | p10 | loss | no-drop rate | "
                  "latency µs p50 / p99 / p99.9 at 10 % | at 50 % | at 90 % |",
                  "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
        for e in entries:
            generator = " (generator's limit)" if e["limited_by"] == "generator" else ""
            lines.append(
                f"| {e['device']} | {e['mpps']:.2f}{generator} | {e['spread'] * 100:.0f} % | {e['gbps']:.2f} | "
                f"{e['cycles_per_packet']:.0f} | {e['cycles_p10']:.0f} | {_ratio(e['cycles_per_packet'], first['cycles_per_packet'])} | "
                f"{_ratio(e['cycles_p10'], first['cycles_p10'])} | {e['loss'] * 100:.3f} % | {_share(e['no_drop'])} | "
                f"{_latency(e, 10)} | {_latency(e, 50)} | {_latency(e, 90)} |")
        lines.append("")
    return "\n".join(lines)


def markdown_inprocess(program, rows):
    """One table for all cases of a program."""
    lines = [f"### {program.name}: {program.text}", "",
             "| case | flows | Mpps | spread | cycles/packet | Mpps alone | cycles/packet alone | ratio | loss |",
             "|---|---|---|---|---|---|---|---|---|"]
    lines += [f"| {r['case']}, {r['frame']} B, IPv{r['ip']} | {r['flows']} | {r['mpps']:.2f} | {r['spread'] * 100:.0f} % | "
              f"{r['cycles_per_packet']:.0f} | {r['mpps_alone']:.2f} | {r['cycles_alone']:.0f} | {r['ratio']:.3f} | "
              f"{r['loss'] * 100:.3f} % |" for r in rows]
    return "\n".join([*lines, "", f"The ratio is of {program.ratio}.", ""])
