"""Managers that are killed: no address is given twice, none is lost, every pod gets its own."""
import ipaddress
import os
import random
import time

import pytest

from lab.shell import wait_until
from managertool import FAST, STATEFUL_SET, annotated, managed, network, node, pod, subnet

N_KILLS, PODS_EACH = 10, 50
OUTAGE = float(os.environ.get("STRATA_OUTAGE", "2"))  # seconds without API server or etcd
SPACES = [f"failover-{n}" for n in range(5)]  # names make addresses unique within one only


@pytest.fixture
def world(apiserver):
    # Several Subnets, so that the ring turns too.
    subnets = (subnet(f"failover-4-{n}", "failover", f"10.77.{n}.0/24", gateway=f"10.77.{n}.1") for n in range(4))
    objects = node("failover1"), network("failover", {"type": "Overlay", "netID": 9}), *subnets, subnet("failover-6", "failover", "fd77::/64")
    with managed(apiserver, *objects, spaces=SPACES, managers=0) as w:
        yield w


def wanted(number):
    """Of every ten pods three have both families and two are of a StatefulSet."""
    both, stateful = number % 10 in (1, 4, 7), number % 10 in (2, 7)
    p = pod(SPACES[number % len(SPACES)], f"p-{number}", on="failover1", owners=STATEFUL_SET if stateful else None,
            annotations=annotated(network_type="Overlay", ip_family="DualStack" if both else "IPv4"))
    return p, 2 if both else 1


def leader(world):
    return next((m for m in world.managers if m.process.alive() and m.leads()), None)


def keep_two(world):
    """A Deployment of two: whoever has ended is started anew."""
    world.managers[:] = [m for m in world.managers if m.process.alive()]
    while len(world.managers) < 2:
        world.start(*FAST)


def faults(world, pods):
    """What is wrong with the addresses, as text; "" if nothing is."""
    by_uid = {}
    for i in world.instances():
        by_uid.setdefault(i["spec"]["binding"].get("podUID"), []).append(i)
    wrong = []
    for p, n in pods:
        mine = by_uid.pop(p["metadata"]["uid"], [])
        versions = sorted(i["spec"]["address"]["version"] for i in mine)
        if versions != ["4", "6"][:n]:
            wrong.append(f"{p['metadata']['name']} has {versions} of {n}")
        if len({i["spec"]["address"]["mac"] for i in mine}) > 1:
            wrong.append(f"{p['metadata']['name']} has two MACs")
    return "\n".join(wrong + [f"nobody's: {i['metadata']['name']}" for rest in by_uid.values() for i in rest])


def test_five_hundred_pods_get_an_address_each_while_managers_are_killed(world):
    seed = int(os.environ.get("STRATA_SEED", random.randrange(2**32)))
    print(f"STRATA_SEED={seed}")
    draw = random.Random(seed)
    pods = []
    keep_two(world)
    for kill in range(N_KILLS):
        for number in range(kill * PODS_EACH, (kill + 1) * PODS_EACH):
            p, n = wanted(number)
            pods.append((world.post(p), n))
        victim = wait_until(lambda: keep_two(world) or leader(world), "there is a leader", timeout=120)
        time.sleep(draw.uniform(0, 2))  # while it takes over, or gives out what has gathered
        victim.kill()
        assert world.doubled() == {}
    wait_until(lambda: keep_two(world) or leader(world), "there is a leader", timeout=120)
    wait_until(lambda: keep_two(world) or faults(world, pods) == "", lambda: f"{faults(world, pods)}\n{world.logs()}",
               timeout=300, interval=2)
    assert world.doubled() == {}
    macs = {}
    for i in world.instances():
        macs.setdefault(i["spec"]["address"]["mac"], set()).add(i["spec"]["binding"]["podUID"])
    assert all(len(owners) == 1 for owners in macs.values())
    # The books of the last of them say the same as the objects.
    v4 = [i for i in world.instances() if i["spec"]["address"]["version"] == "4"]
    wait_until(lambda: world.status("networks", "failover").get("statistics", {}).get("used") == len(v4),
               lambda: f"{world.status('networks', 'failover')} for {len(v4)}")
    # And all comes back.
    for p, _ in pods:
        world.delete_pod(p["metadata"]["namespace"], p["metadata"]["name"])

    def bound():
        return [i["metadata"]["name"] for i in world.instances() if i["spec"]["binding"].get("podUID")]

    wait_until(lambda: keep_two(world) or bound() == [], lambda: f"{bound()}\n{world.logs()}", timeout=300, interval=2)
    kept = world.instances()
    assert {i["spec"]["binding"]["referredObject"]["kind"] for i in kept} <= {"StatefulSet"}
    assert len(kept) == sum(n for p, n in pods if p["metadata"].get("ownerReferences"))


@pytest.mark.parametrize("part", ["server", "etcd"])
def test_managers_go_on_when_the_api_server_or_etcd_was_killed(world, part):
    how = dict(on="failover1", annotations=annotated(network_type="Overlay", ip_family="DualStack"))
    keep_two(world)
    wait_until(lambda: leader(world), "there is a leader", timeout=120)
    first, kept = world.create(SPACES[0], f"before-{part}", n=2, **how)
    component = getattr(world.api, part)
    component.kill()
    time.sleep(OUTAGE)
    component.start()
    world.api.wait_ready()
    wait_until(lambda: keep_two(world) or leader(world), "there is a leader", timeout=120)
    world.create(SPACES[1], f"after-{part}", n=2, **how)
    assert world.doubled() == {}
    assert [i["spec"] for i in world.of_pod(SPACES[0], first["metadata"]["name"])] == [i["spec"] for i in kept]


def test_a_manager_that_ends_gives_its_lease_up_at_once(world):
    first = world.start("--leader-elect-lease-duration=600s", "--leader-elect-renew-deadline=300s").wait_leading()
    second = world.start()
    p = world.post(pod(SPACES[0], "before", on="failover1", annotations=annotated(network_type="Overlay")))
    world.wait_bound(p)
    first.stop()
    second.wait_leading()  # it need not wait for ten minutes
    world.wait_bound(world.post(pod(SPACES[0], "after", on="failover1", annotations=annotated(network_type="Overlay"))))


def test_a_manager_that_loses_its_lease_ends(world):
    first = world.start().wait_leading()
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/strata-manager"
    world.patch(lease, {"spec": {"holderIdentity": "somebody-else"}})
    wait_until(lambda: not first.process.alive(), lambda: first.process.log_text())
    assert "leadership is lost" in first.process.log_text()
    world.patch(lease, {"spec": {"holderIdentity": ""}})


def test_a_manager_may_take_turns_with_hybridnets(world):
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    name = "hybridnet-manager-election"
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    world.post({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": "kube-system"},
                "spec": {"holderIdentity": "hybridnet-manager-1_u", "leaseDurationSeconds": 3600, "acquireTime": now,
                         "renewTime": now, "leaseTransitions": 0}})
    try:
        manager = world.start(f"--leader-elect-resource-name={name}", *FAST)
        wait_until(lambda: "hybridnet-manager-1_u" in manager.process.log_text(), manager.process.log_text)
        assert manager.metric("strata_manager_leader") == 0
        world.patch(f"{leases}/{name}", {"spec": {"holderIdentity": ""}})  # as client-go lets go
        wait_until(lambda: manager.metric("strata_manager_leader") == 1, manager.process.log_text)
        assert world.api.get(f"{leases}/{name}")["spec"]["holderIdentity"].startswith(manager.name + "_")
    finally:
        world.end()
        world.api.request("DELETE", f"{leases}/{name}")


def test_addresses_go_on_where_the_manager_before_stopped(world):
    first = world.start().wait_leading()
    how = dict(on="failover1", annotations=annotated(network_type="Overlay"))
    _, (a,) = world.create(SPACES[0], "a", **how)
    world.delete_pod(SPACES[0], "a")
    world.wait_free(SPACES[0])
    name = a["spec"]["subnet"]
    world.wait_status("subnets", name, lastAllocatedIP=a["spec"]["address"]["ip"].split("/")[0])
    first.stop()
    world.start().wait_leading()
    _, (b,) = world.create(SPACES[1], "b", **how)
    assert b["spec"]["subnet"] == name
    assert ipaddress.ip_interface(b["spec"]["address"]["ip"]).ip == ipaddress.ip_interface(a["spec"]["address"]["ip"]).ip + 1
