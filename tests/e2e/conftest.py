"""Fixtures: each test module gets a lab of its own, which is removed however the tests end."""
import itertools
import os
import pathlib
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab.lab import Lab, namespaces  # noqa: E402

_numbers = itertools.count(1)

# A sanitizer's report ends the daemon, and its text is in the daemon's log.
os.environ.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99:detect_leaks=1")
os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


@pytest.fixture(scope="module")
def lab():
    prefix = f"e2e{os.getpid()}-{next(_numbers)}-"
    lab = Lab(prefix, f"/run/strata-{prefix[:-1]}")
    try:
        yield lab
        for node in lab.nodes.values():
            if node.process is not None:
                code = node.stop()
                log = node.log()
                assert not any(r in log for r in REPORTS), f"{node.name}:\n{log[-6000:]}"
                assert code in (0, None), f"{node.name} ended with {code}:\n{log[-3000:]}"
    finally:
        lab.down()
    assert namespaces(prefix) == []


@pytest.fixture(scope="module")
def fabric(lab):
    """A switch with the gateways of the nodes' network and of VLAN 56."""
    fabric = lab.add_fabric()
    fabric.add_gateway("gw1", 1, ["10.88.0.254/24", "fd00:88::fe/64", "192.168.56.254/24"])
    fabric.add_gateway("gw56", 56, ["10.56.0.254/24", "fd00:56::fe/64"])
    return fabric


@pytest.fixture(scope="module")
def add_node(lab, fabric):
    def add(i, **options):
        options.setdefault("addresses", [f"10.88.0.{i}/24", f"fd00:88::{i}/64"])
        options.setdefault("gateways", ["10.88.0.254", "fd00:88::fe"])
        options.setdefault("labels", {"network": "network1"})
        return lab.add_node(f"node{i}", vlans=[56], **options)

    return add


@pytest.fixture(autouse=True)
def logs_of_failures(request):
    """Prints the end of every daemon's log when a test fails."""
    yield
    report = getattr(request.node, "report", None)
    if report is not None and report.failed and "lab" in request.fixturenames:
        for node in request.getfixturevalue("lab").nodes.values():
            if node.process is not None:
                print(f"── log of {node.name}\n{node.log()[-4000:]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report = outcome.get_result()
