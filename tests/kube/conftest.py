"""Fixtures: a real API server, and a whole cluster of two nodes, each for all tests of a run; a daemon alone under
the API server, for all tests of a file.

tests/setup/kubernetes makes the programs; Strata's are those of $STRATA_BUILD. Objects stay from test to
test: give yours names of their own, or call apiserver.wipe() before.
"""
import itertools
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
from lab.fixtures import failed, lab, logs_of_failures, pytest_runtest_makereport  # noqa: E402, F401
from lab.lab import namespaces  # noqa: E402
from lab.shell import run  # noqa: E402
from nodetool import ACCOUNT, MANIFEST, NODE, Kube, add_node, network, subnet  # noqa: E402

NUMBERS = itertools.count()
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


@pytest.fixture(scope="module")
def kube(apiserver):
    """An empty API server with the node's Node and account, a Network and a Subnet of each family."""
    apiserver.wipe()
    kube = Kube(apiserver)
    # The account has what the manifest gives it, and nothing else.
    role = [d for d in MANIFEST.read_text().split("\n---\n") if "kind: ClusterRole\n" in d and "name: strata-node\n" in d]
    apiserver.apply(*role)
    apiserver.grant(ACCOUNT, role="strata-node")
    kube.post("/api/v1/nodes", {"metadata": {"name": NODE, "labels": {"network": "network1"}}})
    apiserver.apply(network("network-0", type="Overlay", netID=4),
                    subnet("overlay4", "network-0", "100.64.0.0/16", "100.64.0.1"),
                    subnet("overlay6", "network-0", "fd00:64::/64", "fd00:64::1"))
    yield kube
    apiserver.wipe()
    apiserver.request("DELETE", f"/api/v1/nodes/{NODE}")


@pytest.fixture(scope="module")
def node_settings():
    """More of the daemon's configuration: a file of tests may have another."""
    return {}


@pytest.fixture(scope="module")
def node(lab, apiserver, kube, node_settings):
    """A daemon that the API server is reached from over a link of its own."""
    return add_node(lab, apiserver, **node_settings).start()


@pytest.fixture
def ns(world, request):
    """A namespace of the test's own in the `world` of its file, empty again behind it."""
    file = request.module.__name__.removeprefix("test_").replace("_", "-")
    name = world.namespace(f"{file}-{next(NUMBERS)}")
    yield name
    world.clear(name)


@pytest.fixture(autouse=True)
def logs_of_the_cluster(request):
    yield
    if failed(request) and "cluster" in request.fixturenames:
        print(request.getfixturevalue("cluster").logs())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests run beside each other file by file; all of the cluster's in one process, which has the cluster."""
    for item in items:
        group = "cluster" if "cluster" in item.fixturenames else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
