"""Benchmarks that need no other process: one CPU for the control thread, another one for the worker."""
import os
import pathlib
import signal
import subprocess
import sys

from . import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main(usage, program, megabytes):
    """Runs a program of the build folder that the command line names, on so much of hugepages. Does not return."""
    if os.geteuid() != 0 or len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
        sys.exit(usage)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    path = pathlib.Path(sys.argv[1] if len(sys.argv) == 2 else ROOT / "build", program)
    if not path.exists():
        sys.exit(f"{path} is missing; build it: meson setup build && ninja -C build")
    try:
        control, worker = machine.cpus()
        with machine.hugepages(megabytes):
            sys.exit(_run([path, "--in-memory", "--no-pci", "--no-telemetry", "--log-level=error",
                           f"--lcores=0@{control},1@{worker}"]))
    except machine.Unfit as e:
        sys.exit(str(e))


def _run(argv):
    """Before all others of this machine, in a session of its own."""
    process = subprocess.Popen(argv, start_new_session=True)
    try:
        machine.go_first(process.pid)
        return process.wait()
    finally:
        process.kill()
        process.wait()
