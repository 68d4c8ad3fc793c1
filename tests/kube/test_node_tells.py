"""What a node's daemon tells the cluster of its pods' ports: who has an address, and why an ADD was refused."""
import concurrent.futures
import time

import pytest

from lab.node import CniError
from lab.shell import wait_until
from nodetool import ACCOUNT, GROUP, KubePod, started, wait_known

# ── who has an address ───────────────────────────────────────────────────────────────────────────


def set_sandbox(kube, instance, sandbox):
    meta = instance["metadata"]
    path = f"/apis/{GROUP}/v1/namespaces/{meta['namespace']}/ipinstances/{meta['name']}/status"
    status, answer = kube.api.request("PATCH", path, {"status": {"sandboxID": sandbox}}, "application/merge-patch+json")
    assert status == 200, answer


def asked(kube, verb, instance):
    """How often the daemon has asked for the IPInstance, or written its status."""
    return sum(e["objectRef"].get("name") == instance["metadata"]["name"]
               for e in kube.api.requests(user=ACCOUNT, verb=verb, resource="ipinstances"))


def test_a_del_takes_its_sandbox_back_from_the_status_and_leaves_the_rest(kube, node):
    pod, instance = started(node, kube, "tells-del")
    before = wait_until(lambda: kube.status_of(instance).get("sandboxID") and kube.status_of(instance), "the status")
    assert before["sandboxID"] == pod.container
    pod.detach()
    after = wait_until(lambda: "sandboxID" not in kube.status_of(instance) and kube.status_of(instance), "the sandbox to go")
    assert after == {k: v for k, v in before.items() if k != "sandboxID"}


def test_a_del_right_after_its_add_takes_its_sandbox_back_too(kube, node):
    """Whichever of the two writes is under way when the other begins."""
    for i in range(5):
        pod, instance = started(node, kube, f"tells-soon-{i}")
        pod.detach()
        wait_until(lambda: kube.status_of(instance).get("podName") and "sandboxID" not in kube.status_of(instance),
                   lambda: f"the sandbox to go: {kube.status_of(instance)}")


def test_a_del_leaves_the_sandbox_of_another_in_the_status(kube, node):
    pod, instance = started(node, kube, "tells-other")
    wait_until(lambda: kube.status_of(instance).get("sandboxID"), "the status")
    set_sandbox(kube, instance, "another")
    wait_until(lambda: any(i["status"].get("sandboxID") == "another" for i in node.get("ipinstance") if "status" in i),
               "the other sandbox on the node")
    written = asked(kube, "patch", instance)
    pod.detach()
    wait_until(lambda: asked(kube, "get", instance), "the daemon to look")
    # It had nothing to write: what it writes next comes after what it would have written here.
    _, later = started(node, kube, "tells-later")
    wait_until(lambda: kube.status_of(later).get("sandboxID"), "the next status")
    assert kube.status_of(instance)["sandboxID"] == "another"
    assert asked(kube, "patch", instance) == written


# ── why an ADD was refused ───────────────────────────────────────────────────────────────────────


def refused(pod, **options):
    with pytest.raises(CniError) as e:
        pod.cni("ADD", **options)
    return e.value


def said_of(kube, name, code_error):
    """The Event that says what the runtime was answered."""
    return wait_until(lambda: next((e for e in kube.events_of(name) if e["message"].startswith(code_error.msg)), None),
                      lambda: f"the Event; there are {[e['message'] for e in kube.events_of(name)]}")


def test_the_add_of_a_sibling_port_is_refused_with_an_event(kube, node):
    pod, _ = started(node, kube, "tells-sibling")
    sibling = KubePod(node, kube.api.get("/api/v1/namespaces/default/pods/tells-sibling"), container="tells-sibling-2")
    error = refused(sibling)
    assert error.code == 104 and pod.container in error.msg
    event = said_of(kube, "tells-sibling", error)
    assert (event["type"], event["reason"], event["involvedObject"]["uid"]) == ("Warning", "AttachFailed", pod.uid)
    assert "DEL the other one first" in event["message"]
    # Said again it is counted; it stays one Event.
    refused(sibling)
    wait_until(lambda: said_of(kube, "tells-sibling", error)["count"] == 2, "the count")
    assert len(kube.events_of("tells-sibling")) == 1


def test_an_add_again_that_is_refused_is_an_event(kube, node):
    pod, _ = started(node, kube, "tells-again")
    other = KubePod(node, kube.pod("tells-again-netns")).create()
    node.lab.pods[other.name] = other
    error = refused(pod, netns=other.netns)
    assert "attached in another network namespace" in error.msg
    assert "DEL it, then ADD it again" in said_of(kube, "tells-again", error)["message"]


def test_an_add_again_whose_link_is_spoilt_is_an_event(kube, node):
    pod, instance = started(node, kube, "tells-spoilt")
    address = instance["spec"]["address"]["ip"]
    pod.exec(["ip", "address", "del", address, "dev", "eth0"])
    error = refused(pod)
    assert "no longer right" in error.msg
    assert "DEL it, then ADD it again" in said_of(kube, "tells-spoilt", error)["message"]


def test_an_add_with_a_configuration_that_is_none_is_an_event(kube, node):
    obj = kube.pod("tells-configuration")
    pod = KubePod(node, obj).create()
    node.lab.pods[pod.name] = pod
    error = refused(pod, config={"args": {"strata": {"portKind": "carrier-pigeon"}}})
    event = said_of(kube, "tells-configuration", error)
    assert "afxdp or vhost-user" in event["message"]
    assert event["involvedObject"]["uid"] == obj["metadata"]["uid"]


def test_an_add_of_a_pod_that_goes_says_nothing(kube, node):
    """Nobody looks at a pod that is deleted, and its ADD is not at fault."""
    obj = kube.pod("tells-going")
    wait_known(node, obj)
    pod = KubePod(node, obj).create()
    node.lab.pods[pod.name] = pod
    with concurrent.futures.ThreadPoolExecutor() as pool:
        add = pool.submit(refused, pod)
        time.sleep(0.3)  # it waits for an address, for up to 3 s
        kube.api.request("DELETE", "/api/v1/namespaces/default/pods/tells-going?gracePeriodSeconds=0")
        assert "deleted in between" in add.result(timeout=60).msg
    # Events are sent one after the other.
    error = refused(KubePod(node, kube.pod("tells-unlucky"), container="tells-unlucky"), netns=pod.netns)
    said_of(kube, "tells-unlucky", error)
    assert kube.events_of("tells-going") == []
