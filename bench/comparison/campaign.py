"""A scenario from start to end: devices up, every case measured, everything down."""
import contextlib
import os
import sys

from lab.node import CniError
from lab.shell import CommandError
from devices import DEVICES

from . import inprocess, machine, report, rounds
from .scenarios import IMIX

GENERATOR_MB = 192
WARMUP = 0.2  # seconds


class Campaign:
    """What of the program's arguments says how to measure. `complaints` are the devices that did not work."""

    def __init__(self, args, directory):
        self.args, self.directory = args, directory
        self.complaints = []
        self.generator_cpu, self.device_cpu = machine.cpus()
        self.devices = args.devices.split(",") if args.devices else [name for name, device in DEVICES.items() if not device.missing()]
        for name in self.devices:
            if name not in DEVICES:
                sys.exit(f"unknown device '{name}'; known: {', '.join(DEVICES)}")
            if DEVICES[name].missing():
                sys.exit(f"device '{name}': {DEVICES[name].missing()}")

    def run(self, scenario):
        """Returns the scenario's rows."""
        able = [name for name in self.devices if DEVICES[name].can(scenario)]
        needed = sum(DEVICES[name].megabytes + GENERATOR_MB for name in able)
        with machine.hugepages(needed), contextlib.ExitStack() as stack:
            beds = [bed for name in able for bed in self._start(scenario, name, stack)]
            return [row for case in self._cases(scenario) for row in self._measure(scenario, case, beds)]

    def run_alone(self, program):
        """Returns the rows of a program that measures Strata alone."""
        print(f"{program.name}: {program.text}", file=sys.stderr)
        rows, good = inprocess.rows(program, self.args.quick)
        if not good:
            self.complaints.append(f"{program.name} failed: packets were lost, or it says above why")
        return rows

    def _start(self, scenario, name, stack):
        directory = self.directory / f"{scenario.name}-{name}"
        directory.mkdir()
        prefix = f"bench{os.getpid()}-"
        device = DEVICES[name](scenario, directory, prefix, self.device_cpu, self.generator_cpu)
        try:
            with contextlib.ExitStack() as mine:
                mine.callback(device.stop)
                bed = rounds.Bed(name, device, self.generator_cpu)
                mine.callback(bed.generator.stop)
                bed.connect()
                bed.pause()
                stack.push(mine.pop_all())
            return [bed]
        except (CommandError, CniError) as e:
            self.complaints.append(f"{name} is left out of {scenario.name}: {e}")
            return []

    def _forwards(self, bed, case):
        try:
            with bed.awake():
                bed.prove(case)
            return True
        except CommandError as e:
            self.complaints.append(f"{bed.name} is left out of {bed.device.scenario.name}, {case.text()}: {e}")
            return False

    def _cases(self, scenario):
        args = self.args
        frames = [f if f == IMIX else int(f) for f in args.frames.split(",")] if args.frames else None
        flows = [int(f) for f in args.flows.split(",")] if args.flows else None
        cases = scenario.cases(args.quick and not (frames or flows or args.ip))
        return [c for c in cases if (frames is None or c.frame in frames) and (flows is None or c.flows in flows)
                and args.ip in (None, c.ip)]

    def _measure(self, scenario, case, beds):
        print(f"{scenario.name}: {case.text()}", file=sys.stderr)
        beds = [bed for bed in beds if self._forwards(bed, case)]
        loads = () if self.args.no_latency else rounds.LOADS
        results = rounds.measure_case(beds, case, self.args.rounds, self.args.seconds, WARMUP, loads)
        rows = [report.row(scenario, case, name, *result) for name, result in results.items()]
        for r in rows:
            print(f"  {r['device']:14} {r['mpps']:8.3f} Mpps  {r['cycles_per_packet']:6.0f} cycles/packet", file=sys.stderr)
        return rows
