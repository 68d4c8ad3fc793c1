"""The daemon of a node while the API server, or its etcd, is away: what is up stays up, and what is in the cache is
enough for more. The topology is that of test_node.py.
"""
import collections
import os
import subprocess
import time

import pytest

from lab.node import CniError, VSWITCHD
from lab.shell import Process, wait_until
from nodetool import ACCOUNT, attach, started, wait_known

OUTAGE = float(os.environ.get("STRATA_OUTAGE", "2"))  # seconds without API server or etcd
PING = ["ping", "-n", "-q", "-i", "0.02", "-W", "2"]


def lost_pings(text):
    line = next(line for line in text.splitlines() if "packets transmitted" in line)
    sent, received = (int(part.split()[0]) for part in line.split(", ")[:2])
    return sent - received, sent


def test_nothing_stops_while_the_api_server_is_dead(kube, node):
    a, _ = started(node, kube, "node-dead-a")
    b, _ = started(node, kube, "node-dead-b")
    assert a.ping(b.address(4))
    waiting = kube.pod("node-dead-c")
    instance = kube.ipinstance(waiting)
    wait_known(node, instance)
    unlucky = kube.pod("node-dead-d")
    wait_known(node, waiting)
    wait_known(node, unlucky)

    ping = subprocess.Popen(["ip", "netns", "exec", a.ns, *PING, b.address(4)], stdout=subprocess.PIPE, text=True)
    kube.api.server.kill()
    # What is in the cache is enough for an ADD; the rest says what it waits for.
    c = attach(node, waiting)
    assert c.ping(a.address(4))
    with pytest.raises(CniError) as e:
        attach(node, unlucky)
    assert e.value.code == 100
    node.cni("STATUS")
    b.cni("CHECK")
    time.sleep(OUTAGE)
    kube.api.server.start()
    kube.api.wait_ready()
    # Afterwards it converges: what could not be said is said, what comes is seen.
    wait_until(lambda: kube.status_of(instance).get("sandboxID") == c.container, "the status", timeout=90)
    kube.ipinstance(unlucky)
    wait_until(lambda: succeeded(node.lab.pods["node-dead-d"]), "the pod that had to wait", timeout=60)
    ping.send_signal(2)
    lost, sent = lost_pings(ping.communicate(timeout=30)[0])
    assert lost == 0, f"{lost} of {sent} lost"


def lists(kube):
    """How often the daemon has listed each kind."""
    return collections.Counter(e["objectRef"]["resource"] for e in kube.api.requests(user=ACCOUNT) if e["verb"] == "list")


def test_nothing_stops_while_etcd_is_dead_and_no_storm_follows(kube, node):
    a, _ = started(node, kube, "node-etcd-a")
    b, _ = started(node, kube, "node-etcd-b")
    assert a.ping(b.address(4))
    before = lists(kube)

    ping = subprocess.Popen(["ip", "netns", "exec", a.ns, *PING, b.address(4)], stdout=subprocess.PIPE, text=True)
    kube.api.etcd.kill()
    time.sleep(OUTAGE)
    kube.api.etcd.start()
    kube.api.wait_ready()
    c, _ = started(node, kube, "node-etcd-c")
    assert c.ping(a.address(4))
    ping.send_signal(2)
    lost, sent = lost_pings(ping.communicate(timeout=30)[0])
    assert lost == 0, f"{lost} of {sent} lost"
    assert all(n - before[kind] <= 2 for kind, n in lists(kube).items()), (before, lists(kube))


def succeeded(pod):
    try:
        return pod.attach()
    except CniError:
        return None


def test_a_daemon_that_starts_without_the_api_server_says_what_it_waits_for(kube, node):
    pod, _ = started(node, kube, "node-start")
    node.stop()
    kube.api.server.kill()
    path = node.directory / "vswitchd.yaml"
    node.process = Process.start([VSWITCHD, "--config", path], node.directory / "vswitchd.log", ns=node.ns, env=node.env)

    def refusal():
        try:
            node.cni("STATUS")
        except CniError as e:
            return e if e.code == 50 and "objects are not read yet" in e.msg else None
        return None

    try:
        assert "API server" in wait_until(refusal, "STATUS to say so", timeout=40).details
    finally:
        kube.api.server.start()
        kube.api.wait_ready()
    wait_until(node.ready, "the daemon", timeout=90)
    other, _ = started(node, kube, "node-start-2")
    assert pod.ping(other.address(4))
