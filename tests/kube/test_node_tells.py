"""What a node's daemon tells the cluster of its pods' ports: who has an address."""
from lab.shell import wait_until
from nodetool import ACCOUNT, GROUP, started


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
