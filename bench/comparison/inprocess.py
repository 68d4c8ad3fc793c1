"""Benchmarks that need no other process: a program of the build folder on two CPUs, with hugepages."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing

from . import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Program(typing.NamedTuple):
    """It prints a table, or with --json a row in each line."""
    name: str
    text: str
    path: str
    megabytes: int
    lcores: tuple  # EAL's options; {0} and {1} are the CPUs
    quick: tuple = ()  # options that make it short
    ratio: str = ""  # what the row's "ratio" is


ONE_WORKER = ("--lcores=0@{0},1@{1}",)
PROGRAMS = {p.name: p for p in (
    Program("churn", "10,000 route changes a second under load, within one process", "bench/churn", 300, ONE_WORKER,
            ("--quick",), "Mpps with changes by those without"),
    Program("workers", "two workers beside each other and alone, within one process", "bench/workers", 300,
            ("--lcores=0@{0},1@{1},2@({0},{1})", "--main-lcore=2", "--single-file-segments"), (),
            "cycles/packet beside the other worker by those alone"),
)}


def main(usage, program):
    """Runs a program on the build folder that the command line names. Does not return."""
    if os.geteuid() != 0 or len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
        sys.exit(usage)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        sys.exit(_run(program, sys.argv[1] if len(sys.argv) == 2 else ROOT / "build")[0])
    except machine.Unfit as e:
        sys.exit(str(e))


def rows(program, quick):
    """Returns the program's rows, and whether it was content with them."""
    options = ["--json", *(program.quick if quick else ())]
    status, text = _run(program, os.environ["STRATA_BUILD"], options, stdout=subprocess.PIPE)
    found = [{"scenario": program.name, "device": "strata", **json.loads(line)} for line in text.splitlines()]
    return found, status == 0


def _run(program, build, options=(), stdout=None):
    """Before all others of this machine, in a session of its own. Returns its exit status and output."""
    path = pathlib.Path(build, program.path)
    if not path.exists():
        raise machine.Unfit(f"{path} is missing; build it: meson setup build && ninja -C build")
    cpus = machine.cpus()
    argv = [path, "--in-memory", "--no-pci", "--no-telemetry", "--log-level=error", *(o.format(*cpus) for o in program.lcores)]
    with machine.hugepages(program.megabytes):
        process = subprocess.Popen([*argv, "--", *options], stdout=stdout, text=True, start_new_session=True)
        try:
            machine.go_first(process.pid)
            text = process.communicate()[0]
            return process.returncode, text
        finally:
            process.kill()
            process.wait()
