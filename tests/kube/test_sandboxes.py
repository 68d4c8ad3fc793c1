"""Sandboxes of a pod, as a runtime makes and loses them: hybridnet names a pod's interface by the pod, so that the next one
may find the name taken, its DEL fails once the namespace is gone, and its CHECK looks at nothing (appendix A, 27 and 28)."""
import pytest

from lab.node import CniError
from lab.shell import run, wait_until
from nodetool import KubePod, started


def test_the_next_sandbox_of_a_pod_gets_an_interface_of_its_own_after_the_former(kube, node):
    old, instance = started(node, kube, "sandbox")
    peer, _ = started(node, kube, "sandbox-peer")
    new = KubePod(node, kube.api.get("/api/v1/namespaces/default/pods/sandbox"), container=f"{old.container}-2")
    new.ns = f"{old.ns}-2"
    node.lab.pods["sandbox-2"] = new
    new.create()
    with pytest.raises(CniError) as e:  # the runtime has not taken the former away yet
        new.attach()
    assert (e.value.code, e.value.msg) == (104, f"pod 'default/sandbox' already has port '{old.container}-eth0'")
    assert old.ping(peer.address(4))
    old.detach()
    new.attach()
    assert new.addresses() == old.addresses()
    assert new.result["interfaces"][0]["name"] != old.result["interfaces"][0]["name"]
    old.detach()  # a late one of the former is nothing to the next
    assert new.ping(peer.address(4)) and peer.ping(new.address(4))
    new.cni("CHECK")
    wait_until(lambda: kube.status_of(instance).get("sandboxID") == new.container, lambda: str(kube.status_of(instance)))


def test_the_next_sandbox_need_not_wait_for_a_del_of_one_whose_namespace_is_gone(kube, node):
    """As after a restart of the node: the runtime may never take the former away."""
    old, instance = started(node, kube, "sandbox-lost")
    peer, _ = started(node, kube, "sandbox-lost-peer")
    addresses = old.addresses()
    run(f"ip netns delete {old.ns}")
    new = KubePod(node, kube.api.get("/api/v1/namespaces/default/pods/sandbox-lost"), container=f"{old.container}-2")
    new.ns = f"{old.ns}-2"
    node.lab.pods["sandbox-lost-2"] = new
    new.create().attach()
    assert new.addresses() == addresses
    assert new.ping(peer.address(4)) and peer.ping(new.address(4))
    old.cni("DEL", netns="")  # a late one is nothing to the next
    assert new.ping(peer.address(4))
    wait_until(lambda: kube.status_of(instance).get("sandboxID") == new.container, lambda: str(kube.status_of(instance)))


@pytest.mark.parametrize("netns", ["", "/var/run/netns/nonesuch"])
def test_a_del_without_its_namespace_succeeds_as_often_as_it_is_asked(kube, node, netns):
    pod, _ = started(node, kube, f"sandbox-gone-{len(netns)}")
    run(f"ip netns delete {pod.ns}")
    for _ in range(2):
        pod.cni("DEL", netns=netns)
    assert pod.port() is None


def test_check_sees_what_is_missing(kube, node):
    pod, _ = started(node, kube, "sandbox-check")
    pod.cni("CHECK")
    pod.exec("ip link set eth0 down")
    with pytest.raises(CniError):
        pod.cni("CHECK")
