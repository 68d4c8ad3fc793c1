"""Two IPInstances with one address, as hybridnet can leave them (appendix A of its study, 3 and 4: a Refresh, a forced
assignment): one pod keeps it, and the other gets another, unless both run with it already."""
import time

import pytest

from lab.shell import wait_until
from managertool import DEFAULT_OVERLAY, FINALIZER, OURS, PREFIX, STATEFUL_SET, managed, network, node, pod, subnet

SLOW = 60  # seconds: the sweeper looks every ten, and twice


@pytest.fixture(scope="module")
def world(apiserver):
    objects = node("double1"), network("over", {"type": "Overlay", "netID": 5}), subnet("over-4", "over", "10.86.0.0/24")
    with managed(apiserver, *objects, env=DEFAULT_OVERLAY) as w:
        yield w


@pytest.fixture
def spaces(world, ns):
    """Two namespaces: within one, the names of IPInstances hold them apart."""
    other = world.namespace(f"{ns}-other")
    yield [ns, other]
    world.clear(other)


def twin(world, i, p):
    """An IPInstance with the address of another, for the pod."""
    meta = p["metadata"]
    owner = {"kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    status, made = world.api.request("POST", f"{OURS}/namespaces/{meta['namespace']}/ipinstances", {
        "apiVersion": "networking.alibaba.com/v1", "kind": "IPInstance",
        "metadata": {"name": i["metadata"]["name"], "namespace": meta["namespace"], "finalizers": [FINALIZER],
                     "ownerReferences": [{**owner, "apiVersion": "v1", "controller": True}],
                     "labels": {PREFIX + "network": "over", PREFIX + "subnet": "over-4", PREFIX + "pod": meta["name"],
                                PREFIX + "node": "double1", PREFIX + "pod-uid": meta["uid"]}},
        "spec": {"network": "over", "subnet": "over-4", "address": {**i["spec"]["address"], "mac": "02:12:34:00:00:77"},
                 "binding": {"referredObject": owner, "nodeName": "double1", "podUID": meta["uid"], "podName": meta["name"]}}})
    assert status == 201, made
    return made


def schedule(world, p):
    meta = p["metadata"]
    status, answer = world.api.request("POST", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "double1"}})
    assert status == 201, answer


def run(world, p):
    world.set_status(p, phase="Running", containerStatuses=[{
        "name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}])


def wait_said(world, p, message):
    wait_until(lambda: any(r == "IPDoubled" and m == message for _, r, m in world.events(p)),
               lambda: f"{message!r} in {world.events(p)}\n{world.logs()}", timeout=SLOW)


def address(i):
    return i["spec"]["address"]["ip"]


def identity(i):
    return i["metadata"]["uid"], i["spec"]["address"]


def test_a_pod_that_has_not_started_gets_another_address(world, spaces):
    first, (i,) = world.create(spaces[0], "first", "double1")
    second = world.post(pod(spaces[1], "second", on=None))
    double = twin(world, i, second)
    schedule(world, second)
    wait_said(world, second, f"address {address(i)} is that of ipinstance {spaces[0]}/{i['metadata']['name']}")

    def moved():
        found = world.of_pod(spaces[1], "second")
        return len(found) == 1 and found[0]["metadata"]["uid"] != double["metadata"]["uid"] and found[0]

    other = wait_until(moved, lambda: f"{world.instances(spaces[1])}\n{world.logs()}", timeout=SLOW)
    assert other["spec"]["binding"]["podUID"] == second["metadata"]["uid"]
    assert address(other) != address(i) and world.doubled() == {}
    assert identity(world.wait_bound(first)[0]) == identity(i)


def test_a_new_leader_leaves_it_to_the_older_one(world, spaces):
    first, (i,) = world.create(spaces[1], "first", "double1")
    world.end()
    second = world.post(pod(spaces[0], "second", on="double1"))
    time.sleep(1.1)  # ages are in seconds
    twin(world, i, second)
    world.start(env=DEFAULT_OVERLAY).wait_leading()
    wait_until(lambda: len(world.of_pod(spaces[0], "second")) == 1 and world.doubled() == {},
               lambda: f"{world.instances(spaces[0])}\n{world.logs()}", timeout=SLOW)
    world.wait_bound(second)
    assert identity(world.wait_bound(first)[0]) == identity(i)


@pytest.mark.parametrize("daemon_says", [True, False], ids=["sandbox", "containers"])
def test_a_pod_that_runs_with_a_kept_address_has_it(world, spaces, daemon_says):
    _, (i,) = world.create(spaces[0], "web-0", "double1", owners=STATEFUL_SET)
    world.delete_pod(spaces[0], "web-0")
    world.wait_reserved(spaces[0], "web-0")
    runner = world.post(pod(spaces[1], "runner", on=None))
    double = twin(world, i, runner)
    if daemon_says:
        world.set_sandbox(double, "sandbox")
    else:
        run(world, runner)
    schedule(world, runner)
    wait_until(lambda: world.instances(spaces[0]) == [], lambda: f"{world.instances(spaces[0])}\n{world.logs()}", timeout=SLOW)
    (kept,) = world.wait_bound(runner)
    assert identity(kept) == identity(double)
    _, (other,) = world.create(spaces[0], "web-0", "double1", owners=STATEFUL_SET)
    assert address(other) != address(i) and world.doubled() == {}
    world.wait_status("subnets", "over-4", used=2)


def test_no_address_changes_under_pods_that_run(world, spaces):
    first, (i,) = world.create(spaces[0], "first", "double1")
    world.set_sandbox(i, "sandbox-1")
    second = world.post(pod(spaces[1], "second", on=None))
    double = twin(world, i, second)
    world.set_sandbox(double, "sandbox-2")
    schedule(world, second)
    wait_said(world, second, f"address {address(i)} is that of ipinstance {spaces[0]}/{i['metadata']['name']}, "
                             "and both pods run with it: delete one of them")
    assert world.managers[0].metric("strata_addresses_doubled") == 1
    others = [world.create(spaces[1], f"other-{n}", "double1")[1][0] for n in range(3)]
    assert address(i) not in [address(o) for o in others]
    assert [identity(j) for p in (first, second) for j in world.wait_bound(p)] == [identity(i), identity(double)]
    world.delete_pod(spaces[0], "first")  # somebody does as told
    world.wait_free(spaces[0])
    assert identity(world.wait_bound(second)[0]) == identity(double)
    wait_until(lambda: world.managers[0].metric("strata_addresses_doubled") == 0, world.logs, timeout=SLOW)
    world.delete_pod(spaces[1], "second")
    world.wait_status("subnets", "over-4", used=3)
