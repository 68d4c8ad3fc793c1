"""How long an address stays a pod's whose end has come: a kubelet says that a pod is over before its network is down."""
import time

import pytest

from lab.shell import wait_until
from managertool import DEFAULT_OVERLAY, PREFIX, STATEFUL_SET, managed, network, node, pod, subnet

EVICTED = dict(phase="Failed", reason="Evicted")
COMPLETED = dict(phase="Succeeded", containerStatuses=[{"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0,
                                                        "state": {"terminated": {"exitCode": 0}}}])
PATIENCE = 30  # seconds


@pytest.fixture(scope="module")
def world(apiserver):
    objects = (node("end1"), node("end2"), network("over", {"type": "Overlay", "netID": 5}),
               subnet("over-4", "over", "10.87.0.0/24"))
    with managed(apiserver, *objects, env=DEFAULT_OVERLAY) as w:
        yield w


def attached(world, ns, name, **options):
    p, (i,) = world.create(ns, name, "end1", **options)
    world.set_sandbox(i, f"sandbox-of-{name}")
    return p, i


def is_bound(world, p, i):
    (now,) = world.of_pod(p["metadata"]["namespace"], p["metadata"]["name"])
    return (now["metadata"]["uid"], now["spec"]["binding"].get("podUID")) == (i["metadata"]["uid"], p["metadata"]["uid"])


@pytest.mark.parametrize("status", [EVICTED, COMPLETED], ids=["evicted", "completed"])
def test_an_address_is_in_use_until_the_node_has_taken_the_port_away(world, ns, status):
    p, i = attached(world, ns, "over")
    kept, kept_i = attached(world, ns, "web-0", owners=STATEFUL_SET)
    for ended in (p, kept):
        world.set_status(ended, **status)
    world.delete_pod(ns, "web-0")  # as the controller of a stateful set does at once
    time.sleep(3)  # the manager has looked at them more than once
    assert is_bound(world, p, i) and is_bound(world, kept, kept_i)
    assert world.pod(ns, "web-0")["metadata"]["finalizers"] == [PREFIX + "ip-allocated"]  # no successor yet
    for instance in (i, kept_i):
        world.set_sandbox(instance, None)
    world.wait_pod_gone(ns, "web-0")
    (reserved,) = world.wait_reserved(ns, "web-0")
    assert len(world.instances(ns)) == 1
    _, (after,) = world.create(ns, "web-0", "end2", owners=STATEFUL_SET)
    assert after["spec"]["address"] == reserved["spec"]["address"] == kept_i["spec"]["address"]


def test_a_node_that_never_takes_a_port_away_is_waited_for_no_longer_than_its_time(world, ns):
    p, i = attached(world, ns, "web-0", owners=STATEFUL_SET)
    began = time.monotonic()
    world.set_status(p, **EVICTED)
    world.delete_pod(ns, "web-0")
    wait_until(lambda: not is_bound(world, p, i), world.logs, timeout=2 * PATIENCE)
    assert time.monotonic() - began > PATIENCE - 1
    world.wait_pod_gone(ns, "web-0")
    (reserved,) = world.wait_reserved(ns, "web-0")
    assert "sandboxID" not in reserved["status"]


def test_a_pod_that_failed_by_itself_keeps_its_address_until_it_is_deleted(world, ns):
    p, i = attached(world, ns, "failed")
    world.set_sandbox(i, None)
    world.set_status(p, phase="Failed")
    over, _ = world.create(ns, "over", "end1")
    world.set_status(over, **EVICTED)
    wait_until(lambda: world.of_pod(ns, "over") == [], world.logs)  # the manager has seen both
    assert is_bound(world, p, i)
    world.delete_pod(ns, "failed")
    world.wait_free(ns)


def test_a_pod_with_the_finalizer_and_without_a_controller_can_go(world, ns):
    orphan = pod(ns, "orphan-0", on="end1")
    orphan["metadata"]["finalizers"] = [PREFIX + "ip-allocated"]
    world.wait_bound(world.post(orphan))
    world.delete_pod(ns, "orphan-0")
    world.wait_pod_gone(ns, "orphan-0")
    world.wait_free(ns)
