"""Fixtures: a real API server for all tests of a run, in a namespace of its own.

tests/setup/kubernetes makes the programs. Objects stay from test to test: give yours names of their
own, or call apiserver.wipe() before.
"""
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab.apiserver import ApiServer  # noqa: E402
from lab.lab import namespaces  # noqa: E402
from lab.shell import run  # noqa: E402

MEMORY = "/dev/shm"  # etcd waits for the disk at every write


@pytest.fixture(scope="session")
def apiserver():
    """etcd and kube-apiserver with our CRDs. Pods are taken without a controller manager: there are
    no ServiceAccounts, and nobody schedules or starts them."""
    ns = f"kube{os.getpid()}-api"
    directory = tempfile.mkdtemp(prefix="strata-kube-", dir=MEMORY)
    server = ApiServer(ns, directory, arguments=["--disable-admission-plugins=ServiceAccount"])
    try:
        run(f"ip netns add {ns}")
        run("ip link set lo up", ns=ns)
        run("ip link add cluster type dummy", ns=ns)
        run("ip address add 192.0.2.1/24 dev cluster", ns=ns)
        run("ip link set cluster up", ns=ns)
        server.start()
        server.apply_crds()
        yield server
    finally:
        server.stop()
        run(f"ip netns delete {ns}", check=False)
        shutil.rmtree(directory, ignore_errors=True)
    assert namespaces(ns) == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report = outcome.get_result()
