"""The machine: its CPUs and hugepages."""
import contextlib
import os
import pathlib

PAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")


class Unfit(Exception):
    """This machine cannot do it; says what it lacks."""


def cpus():
    """Two: the one of the generator, or whatever else is not measured, and the one that forwards."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Unfit("one CPU is for the generator and one for what is measured: this machine has only one")
    return usable[:2]


def go_first(pid):
    """A process that leads a session goes before all others of this machine, with all its threads, which have a
    nice value each. Those count only within one session, where the kernel groups by it; then the group has one too."""
    with contextlib.suppress(FileNotFoundError):
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-20")
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(thread), -20)


@contextlib.contextmanager
def hugepages(megabytes):
    """So many more are free, as long as this lasts."""
    total, free = PAGES / "nr_hugepages", PAGES / "free_hugepages"
    if not total.exists():
        raise Unfit("the kernel has no hugepages of 2 MB")
    before = int(total.read_text())
    lacking = max(0, megabytes // 2 - int(free.read_text()))
    total.write_text(str(before + lacking))
    added = int(total.read_text()) - before
    try:
        if int(free.read_text()) < megabytes // 2:
            raise Unfit(f"{megabytes} MB of hugepages cannot be had: end what uses memory, or measure fewer devices")
        yield
    finally:
        # Somebody else may have done the same meanwhile.
        total.write_text(str(int(total.read_text()) - added))
