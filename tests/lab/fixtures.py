"""What the tests of e2e and kube share of pytest: a lab, and the logs of its daemons when a test fails."""
import itertools
import os

import pytest

from .lab import Lab, namespaces

_numbers = itertools.count(1)

# A sanitizer's report ends the daemon, and its text is in the daemon's log.
os.environ.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99:detect_leaks=1")
os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


@pytest.fixture(scope="module")
def lab():
    """One for each file of tests, removed however they end. Its daemons end well by themselves."""
    prefix = f"lab{os.getpid()}-{next(_numbers)}-"
    lab = Lab(prefix, f"/run/strata-{prefix[:-1]}")
    try:
        yield lab
        for node in lab.nodes.values():
            _stop(node)
    finally:
        lab.down()
    assert namespaces(prefix) == []


def _stop(node):
    if node.process is None:
        return
    code = node.stop()
    log = node.log()
    assert not any(r in log for r in REPORTS), f"{node.name}:\n{log[-6000:]}"
    assert code in (0, None), f"{node.name} ended with {code}:\n{log[-3000:]}"


@pytest.fixture(autouse=True)
def logs_of_failures(request):
    """Prints the end of every daemon's log when a test fails."""
    yield
    if failed(request) and "lab" in request.fixturenames:
        for node in request.getfixturevalue("lab").nodes.values():
            if node.process is not None:
                print(f"── log of {node.name}\n{node.log()[-6000:]}")


def failed(request):
    """Whether the test of a fixture's request, which is over, has failed."""
    report = getattr(request.node, "report", None)
    return report is not None and report.failed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report = outcome.get_result()
