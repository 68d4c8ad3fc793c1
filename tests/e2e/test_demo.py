"""./demo as a user runs it: up, look, down without a trace."""
import os
import pathlib
import subprocess

import pytest
from lab.lab import namespaces
from lab.node import BUILD
from lab.shell import run

pytestmark = pytest.mark.alone

ROOT = pathlib.Path(__file__).resolve().parents[2]


def demo(*arguments):
    return subprocess.run([ROOT / "demo", *arguments], text=True, capture_output=True, timeout=400,
                          env={**os.environ, "STRATA_BUILD": str(BUILD)})


def traces():
    """What could be left behind, whoever made it."""
    return {
        "namespaces": namespaces("demo-"),
        "links": sorted(line.split(":")[1].strip() for line in run("ip -o link").splitlines()),
        "mounts": sorted(line.split()[1] for line in open("/proc/mounts")),
        "files": sorted(str(p) for p in pathlib.Path("/run").glob("strata*")) + sorted(os.listdir("/dev/shm")),
        "hugepages": next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("HugePages_Total")),
        "free hugepages": next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("HugePages_Free")),
    }


def processes():
    names = ("strata-vswitchd", "ovs-vswitchd", "ovsdb-server", "dpdk-testpmd")
    return {line.split()[0] for line in run("ps -eo pid,comm").splitlines() if line.split()[1] in names}


@pytest.fixture(scope="module")
def up():
    before = traces(), processes()
    try:
        yield demo(), before
    finally:
        demo("down")


def test_every_check_of_the_demo_passes(up):
    done, _ = up
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every check passed." in done.stdout


def test_status_explains_every_dropped_packet(up):
    out = demo("status").stdout
    for node in ("node1", "node2"):
        rows = out.split(f"{node}$ stratactl show drop\n")[1].split("\n\n")[0].splitlines()[1:]
        assert rows and all(len(row.split(None, 4)) == 5 for row in rows), rows


def test_exec_runs_a_command_in_a_pod(up):
    assert "100.64.0." in demo("exec", "overlay-1", "ip", "address", "show", "eth0").stdout


def test_second_demo_beside_the_first_is_refused(up):
    assert demo().returncode == 1


def test_down_leaves_nothing_behind(up):
    _, before = up
    assert demo("down").returncode == 0
    assert traces() == before[0]
    assert processes() <= before[1]
