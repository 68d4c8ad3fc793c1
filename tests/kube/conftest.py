"""Fixtures: a real API server, and a whole cluster of two nodes, each for all tests of a run.

tests/setup/kubernetes makes the programs; Strata's are those of $STRATA_BUILD. Objects stay from test to
test: give yours names of their own, or call apiserver.wipe() before.
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
from lab.cluster import Cluster  # noqa: E402
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
        run("ip link add cluster type bridge", ns=ns)
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


@pytest.fixture(scope="session")
def cluster():
    """Two nodes with containerd and kubelet, and Strata on them, installed as an operator does."""
    prefix = f"kube{os.getpid()}c-"
    cluster = Cluster(prefix, tempfile.mkdtemp(prefix="strata-cluster-", dir=MEMORY))
    try:
        cluster.start()
        cluster.install()
        yield cluster
    finally:
        cluster.stop()
    assert namespaces(prefix) == []


@pytest.fixture(autouse=True)
def logs_of_failures(request):
    """Says what the cluster did when a test of it fails."""
    yield
    report = getattr(request.node, "report", None)
    if report is not None and report.failed and "cluster" in request.fixturenames:
        print(request.getfixturevalue("cluster").logs())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests run beside each other file by file; all of the cluster's in one process, which has the cluster."""
    for item in items:
        group = "cluster" if "cluster" in item.fixturenames else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report = outcome.get_result()
