"""The daemon of a node under a real API server. Objects are written by the test, as hybridnet's manager
writes them: the daemon must work with them unchanged, and with no right but its account's.

             192.0.2.1 (API server)
        ┌────────┴────────┐ bridge "cluster"
     n1 │                 │ 192.0.2.11
        daemon, pods
"""
import concurrent.futures
import json

import pytest

from lab.node import CniError
from lab.shell import wait_until
from nodetool import ACCOUNT, GROUP, NODE, KubePod, attach, network, started, subnet, wait_known

# ── NodeInfo ───────────────────────────────────────────────────────────────────────────────────────


def nodeinfo(kube):
    return {n["metadata"]["name"]: n for n in kube.api.objects("nodeinfoes")}.get(NODE)


def test_the_nodeinfo_is_written_and_the_node_owns_it(kube, node):
    info = wait_until(lambda: nodeinfo(kube), "the NodeInfo")
    uid = kube.api.get(f"/api/v1/nodes/{NODE}")["metadata"]["uid"]
    owners = info["metadata"]["ownerReferences"]
    assert [(o["kind"], o["name"], o["uid"], o["controller"]) for o in owners] == [("Node", NODE, uid, True)]
    assert info["spec"]["vtepInfo"]["ip"] == "10.88.0.1"
    assert info["spec"]["vtepInfo"]["mac"] and "10.88.0.1" in info["spec"]["vtepInfo"]["localIPs"]
    assert wait_until(lambda: nodeinfo(kube).get("status", {}).get("updateTimestamp"), "its time stamp")


def test_a_nodeinfo_that_is_right_is_not_written_again(kube, node):
    wait_until(lambda: nodeinfo(kube).get("status"), "its time stamp")
    before = nodeinfo(kube)["metadata"]["resourceVersion"]
    path = f"/api/v1/nodes/{NODE}"
    status, _ = kube.api.request("PATCH", path, {"metadata": {"labels": {"more": "yes"}}}, "application/merge-patch+json")
    assert status == 200
    started(node, kube, "node-info")
    assert nodeinfo(kube)["metadata"]["resourceVersion"] == before


def test_a_nodeinfo_that_somebody_spoils_is_put_right(kube, node):
    before = nodeinfo(kube)["spec"]
    path = f"/apis/{GROUP}/v1/nodeinfoes/{NODE}"
    kube.api.request("PATCH", path, {"spec": {"vtepInfo": {"ip": "203.0.113.9"}}}, "application/merge-patch+json")
    wait_until(lambda: nodeinfo(kube)["spec"] == before, "the NodeInfo as it was", timeout=30)


# ── ADD ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_add_waits_until_the_watch_brings_the_address(kube, node):
    obj = kube.pod("node-wait")
    pod = KubePod(node, obj).create()
    node.lab.pods[pod.name] = pod
    with concurrent.futures.ThreadPoolExecutor() as pool:
        add = pool.submit(pod.attach)
        wait_known(node, obj)
        instance = kube.ipinstance(obj)
        add.result(timeout=60)
    assert pod.address(4) == instance["spec"]["address"]["ip"].split("/")[0]
    assert pod.result["interfaces"][1]["mac"] == instance["spec"]["address"]["mac"]


def test_the_status_says_where_the_address_is_and_nothing_else_changes(kube, node):
    pod, instance = started(node, kube, "node-status")
    status = wait_until(lambda: kube.status_of(instance), "the status")
    stamp = status.pop("updateTimestamp")
    assert status == {"nodeName": NODE, "podName": "node-status", "podNamespace": "default", "sandboxID": pod.container}
    assert stamp.endswith("Z")
    now = kube.api.get(f"/apis/{GROUP}/v1/namespaces/default/ipinstances/{instance['metadata']['name']}")
    for field in ("labels", "finalizers", "ownerReferences", "generation"):
        assert now["metadata"][field] == instance["metadata"][field]
    assert now["spec"] == instance["spec"]


def test_pods_of_upstreams_objects_reach_each_other(kube, node):
    a, _ = started(node, kube, "node-ping-a")
    b, _ = started(node, kube, "node-ping-b")
    assert a.ping(b.address(4)) and b.ping(a.address(4))


def test_a_dual_stack_pod_gets_both_addresses_with_one_mac(kube, node):
    obj = kube.pod("node-dual", ip_family="DualStack")
    kube.ipinstance(obj, mac="02:12:34:00:01:01")
    kube.ipinstance(obj, ip="fd00:64::10", mac="02:12:34:00:01:01")
    pod = attach(node, obj)
    assert pod.address(4) and pod.address(6) == "fd00:64::10"


def test_a_namespace_decides_for_a_pod_that_the_webhook_has_not_seen(kube, node):
    kube.post("/api/v1/namespaces", {"metadata": {"name": "node-dual", "annotations": {f"{GROUP}/ip-family": "DualStack"}}})
    obj = kube.pod("node-bypass", namespace="node-dual", handled=False)
    kube.ipinstance(obj, mac="02:12:34:00:02:01")
    pod = KubePod(node, obj).create()
    node.lab.pods[pod.name] = pod
    with pytest.raises(CniError) as e:
        pod.attach()
    assert e.value.code == 100
    assert e.value.msg.startswith("failed to wait for pod node-dual/node-bypass to be coupled with ip, expect 2 and get 1")
    kube.ipinstance(obj, ip="fd00:64::20", mac="02:12:34:00:02:01")
    assert len(pod.attach().addresses()) == 2


def test_an_add_in_vain_is_an_event_on_the_pod(kube, node):
    obj = kube.pod("node-alone")
    pod = KubePod(node, obj).create()
    node.lab.pods[pod.name] = pod
    with pytest.raises(CniError) as e:
        pod.attach()
    assert e.value.code == 100
    assert e.value.msg.startswith("failed to wait for pod default/node-alone to be coupled with ip, expect 1 and get 0")
    event = wait_until(lambda: kube.events_of("node-alone"), "the Event")[0]
    assert (event["type"], event["reason"]) == ("Warning", "AttachFailed")
    assert event["message"].startswith(e.value.msg)
    assert event["involvedObject"]["uid"] == obj["metadata"]["uid"]


def test_an_unknown_pod_is_waited_for_and_then_refused(kube, node):
    obj = {"metadata": {"name": "node-nobody", "namespace": "default", "uid": "0-1"}}
    with pytest.raises(CniError) as e:
        attach(node, obj)
    assert e.value.msg.startswith("failed to get pod default/node-nobody")


def test_an_earlier_pod_of_the_name_is_not_taken_for_this_one(kube, node):
    old = kube.pod("node-again")
    kube.ipinstance(old)
    new = {"metadata": {**old["metadata"], "uid": "another"}}
    with pytest.raises(CniError) as e:
        attach(node, new)
    assert e.value.msg.startswith("failed to get pod default/node-again")


def test_a_del_leaves_the_pod_object_alone(kube, node):
    pod, _ = started(node, kube, "node-del")
    pod.detach()
    assert kube.api.get("/api/v1/namespaces/default/pods/node-del")["metadata"]["uid"] == pod.uid
    assert pod.port() is None


def test_the_port_kind_comes_from_the_pods_annotation(kube, node):
    obj = kube.post("/api/v1/namespaces/default/pods", {
        "metadata": {"name": "node-vhost", "namespace": "default", "annotations": {
            f"{GROUP}/handled-by-webhook": "true", f"strata.{GROUP}/port-kind": "vhost-user"}},
        "spec": {"nodeName": NODE, "automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]}})
    kube.ipinstance(obj)
    pod = attach(node, obj)
    assert pod.result["interfaces"][0]["socketPath"].endswith("/sock")


def test_objects_are_not_changed_past_the_api_server(node):
    with pytest.raises(Exception) as e:
        node.ctl("apply", "-f", "-", stdin=json.dumps(network("n", type="Overlay", netID=9)))
    assert "use kubectl" in str(e.value)


# ── Bad objects ────────────────────────────────────────────────────────────────────────────────────


def test_objects_that_slipped_past_the_webhook_are_skipped_and_say_so(kube, node):
    """The webhook is not there at all in these tests: everything gets in."""
    kube.api.apply(network("node-second-overlay", type="Overlay", netID=4), network("node-no-id", type="Underlay", netID=5000,
                                                                                   nodeSelector={"x": "y"}),
                   subnet("node-orphan", "node-nowhere", "10.9.0.0/16", "10.9.0.1"))
    obj = kube.pod("node-bad")
    twice = kube.ipinstance(obj)
    bad = kube.ipinstance(obj, ip="100.64.0.200", gateway="not an address")
    condition = wait_until(lambda: kube.conditions_of(bad).get("Accepted"), "the condition")
    assert (condition["status"], condition["reason"]) == ("False", "Refused")
    assert "gateway" in condition["message"]
    events = wait_until(lambda: kube.events_of(bad["metadata"]["name"]), "the Event")
    assert events[0]["reason"] == "Refused" and events[0]["message"] == condition["message"]
    for name in ("node-second-overlay", "node-no-id", "node-orphan"):
        wait_until(lambda: f"'{name}' is ignored" in node.log(), f"{name} in the log")
    # Everything else goes on.
    wait_known(node, twice)
    wait_known(node, obj)
    assert attach(node, obj).address(4) == twice["spec"]["address"]["ip"].split("/")[0]
    started(node, kube, "node-good")
    # Corrected, it is taken.
    path = f"/apis/{GROUP}/v1/namespaces/default/ipinstances/{bad['metadata']['name']}"
    kube.api.request("PATCH", path, {"spec": {"address": {"gateway": "100.64.0.1"}}}, "application/merge-patch+json")
    wait_until(lambda: kube.conditions_of(bad)["Accepted"]["status"] == "True", "the condition to turn")
    kube.api.kubectl("delete subnet/node-orphan network/node-second-overlay network/node-no-id")


# ── Rights ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_account_cannot_do_more_than_its_work(kube, node):
    """Nothing that it asked for is refused to it; and it may not write what is not its own."""
    asked = {True: set(), False: set()}
    for e in kube.api.requests(user=ACCOUNT):
        what = (e["verb"], e.get("objectRef", {}).get("resource"), e.get("objectRef", {}).get("subresource"))
        asked[e.get("responseStatus", {}).get("code") != 403].add(what)
    # A server that has just started does not know its own roles yet, and refuses what it allows later.
    assert asked[False] - asked[True] == set()
    assert ("patch", "ipinstances", "status") in asked[True]
    token = kube.api.token(ACCOUNT)
    for method, path, body in (("DELETE", f"/apis/{GROUP}/v1/networks/network-0", None),
                               ("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "x"}}),
                               ("PATCH", f"/api/v1/nodes/{NODE}", {"metadata": {"labels": {"a": "b"}}})):
        status, _ = kube.api.request(method, path, body, "application/merge-patch+json" if method == "PATCH" else
                                     "application/json", token=token)
        assert status == 403, (method, path)
