"""Measuring: all devices of a scenario are up, one of them runs while the others are stopped, and they
take turns, so that a slow minute of the machine hits all of them alike."""
import contextlib
import signal
import statistics
import typing

from lab.shell import wait_until

from . import machine, scenarios
from .generator import Generator

LOADS = (10, 50, 90)  # percent of the most
NO_DROP_LOADS = (99, 97, 95, 90, 80, 70, 60, 50, 30, 10)
NO_DROP = 1e-5  # the share that may be lost all the same: the machine is not the device's alone
NO_DROP_TRIES = 3


class Sample(typing.NamedTuple):
    mpps: float
    loss: float
    cycles: float
    frame: float
    pressure: float  # share of the generator's tries to send that the device had no room for


class Bed:
    """A device with its generator."""

    def __init__(self, name, device, generator_cpu):
        self.name, self.device = name, device
        self.generator = Generator(device.directory, generator_cpu, device.start())

    def connect(self):
        self.generator.wait_ready()
        self.device.tsc_hz = self.generator.tsc_hz
        self.device.connected()
        for pid in [self.generator.process.pid, *(p.pid for p in self.device.processes)]:
            machine.go_first(pid)

    def pause(self):
        self.device.pause()
        self.generator.signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def awake(self):
        self.device.resume()
        self.generator.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.pause()

    def order(self, case):
        return scenarios.order(self.device.scenario, case, self.device.uplink_mac, self.device.pod_mac)

    def prove(self, case):
        """Waits until what is sent comes out: a neighbour may have to be found first."""
        wait_until(lambda: self.generator.run(self.order(case), 0.1, 0, rate=1000)["received"] > 0,
                   lambda: f"{self.name}: no packet of {case.text()} comes out; {self.device.describe()}", timeout=30)

    def most(self, case, seconds, warmup):
        """One measurement at full load."""
        before = self.device.work()
        r = self.generator.run(self.order(case), seconds, warmup)
        if before is None:
            cycles = self.device.tsc_hz / (r["mpps"] * 1e6) if r["mpps"] > 0 else 0
        else:
            after = self.device.work()
            cycles = (after[0] - before[0]) / max(1, after[1] - before[1])
        return Sample(r["mpps"], r["lost"] / max(1, r["sent"]), cycles, r["frame"],
                      r["refused"] / max(1, r["refused"] + r["sent"] / 32))

    def latency(self, case, mpps, seconds, warmup):
        return self.generator.run(self.order(case), seconds, warmup, rate=mpps * 1e6)["latency_us"]

    def keeps_up(self, case, mpps, seconds, warmup):
        """Whether in most tries nothing is lost at that rate, and all that the rate asks for is taken."""
        good = 0
        for _ in range(NO_DROP_TRIES):
            r = self.generator.run(self.order(case), seconds, warmup, rate=mpps * 1e6)
            good += r["lost"] + r["skipped"] <= NO_DROP * (r["sent"] + r["skipped"])
        return good > NO_DROP_TRIES / 2


def _no_drop(bed, case, most, seconds, warmup):
    """The highest of the loads at which the device keeps up; None if it does at none."""
    with bed.awake():
        return next((load for load in NO_DROP_LOADS if bed.keeps_up(case, most * load / 100, seconds, warmup)), None)


def measure_case(beds, case, rounds, seconds, warmup, loads=LOADS):
    """Returns {device name: (its samples, {load: its latency of each round}, its no-drop load)}. Without loads
    only the most is measured."""
    samples = {bed.name: [] for bed in beds}
    latencies = {bed.name: {load: [] for load in loads} for bed in beds}
    for _ in range(rounds):
        for bed in beds:
            with bed.awake():
                samples[bed.name].append(bed.most(case, seconds, warmup))
    for _ in range(rounds):
        for bed in beds:
            most = statistics.median(s.mpps for s in samples[bed.name])
            with bed.awake():
                for load in loads:
                    latencies[bed.name][load].append(bed.latency(case, most * load / 100, seconds, warmup))
    no_drop = {bed.name: _no_drop(bed, case, statistics.median(s.mpps for s in samples[bed.name]), seconds, warmup)
               for bed in beds} if loads else {}
    return {bed.name: (samples[bed.name], latencies[bed.name], no_drop.get(bed.name)) for bed in beds}
