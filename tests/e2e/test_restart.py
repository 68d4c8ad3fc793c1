"""Nothing is lost when a daemon, a guest or an application goes away and comes back."""
import signal

import pytest
from lab.node import CniError
from lab.pod import TestpmdPod
from lab.shell import wait_until
from objects import OVERLAY6, yaml


@pytest.fixture(scope="module")
def node(lab, add_node):
    node = add_node(1)
    lab.put("subnets.yaml", yaml(OVERLAY6), subnets=["overlay-6"])
    node.add_pod("web", family="DualStack")
    node.add_pod("db", family="DualStack")
    vm = node.add_pod("vm", family="DualStack", kind="vhost-user")
    vm.app = TestpmdPod(vm).start()
    return node


def assert_all_reach_all(lab):
    for source in lab.pods.values():
        for target in lab.pods.values():
            for family in (4, 6):
                if source is not target:
                    assert source.ping(target.address(family), count=5), f"{source.name} → {target.name} IPv{family}"


def test_vhost_user_pod_and_containers_reach_each_other(lab, node):
    assert_all_reach_all(lab)


def test_killed_application_comes_back_by_itself(lab, node):
    vm = lab.pods["vm"]
    vm.app.kill()
    wait_until(lambda: not vm.port()["up"], "the port to be down")
    vm.app = TestpmdPod(vm).start()
    wait_until(lambda: vm.port()["up"], "the port to be up again")
    assert_all_reach_all(lab)


def test_packed_ring_works_as_well(lab, node):
    vm = lab.pods["vm"]
    vm.app.stop()
    vm.app = TestpmdPod(vm, packed=True).start()
    wait_until(lambda: vm.port()["up"], "the port to be up")
    assert_all_reach_all(lab)


def test_application_that_answers_ping_itself(lab, node):
    """A DPDK application without any kernel behind it."""
    app = node.add_pod("echo", family="IPv4", kind="vhost-user")
    app.app = TestpmdPod(app, mode="icmpecho").start()
    wait_until(lambda: app.port()["up"], "the port to be up")
    assert lab.pods["web"].ping(app.address(4), count=5)
    app.app.stop()
    app.detach()
    del lab.pods["echo"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_restarted_daemon_finds_its_ports_without_a_new_add(lab, node, how):
    if how == signal.SIGTERM:
        assert node.stop() == 0
    else:
        node.kill()
    node.start()
    wait_until(lambda: all(p.port() is not None and p.port()["up"] for p in lab.pods.values()),
               lambda: node.ctl("show", "port"))
    assert_all_reach_all(lab)


def test_same_add_twice_gives_the_same_result(lab, node):
    web = lab.pods["web"]
    assert web.cni("ADD") == web.result
    assert web.ping(lab.pods["db"].address(4))


def test_check_finds_what_somebody_took_away(lab, node):
    web = lab.pods["web"]
    web.cni("CHECK")
    web.exec("ip route del default")
    with pytest.raises(CniError) as e:
        web.cni("CHECK")
    assert "default route" in str(e.value)
    web.exec("ip route add default via 169.254.1.1 dev eth0")
    web.cni("CHECK")


def test_gc_removes_what_the_runtime_no_longer_knows(lab, node):
    known = [{"containerID": p.container, "ifname": p.ifname} for n, p in lab.pods.items() if n != "db"]
    node.cni("GC", config={"cni.dev/valid-attachments": known})
    wait_until(lambda: lab.pods["db"].port() is None, "the forgotten port to go")
    assert lab.pods["web"].ping(lab.pods["vm"].address(4), count=5)


def test_detached_pods_leave_nothing(lab, node):
    for pod in lab.pods.values():
        pod.detach()
        pod.cni("DEL", netns="")
    wait_until(lambda: node.get("ipinstance") == [], "the addresses to be released")
    assert [p["name"] for p in node.show("port") if p["kind"] == "pod"] == []
