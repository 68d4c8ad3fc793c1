"""Defects of hybridnet's manager that must not come along, and objects that nobody checked: each test shows one absent.

Those of the study's appendix A, by number, and where they are shown absent if not here:
 1 test_manager: a pod with a pool keeps object and MAC      11 test_manager_rules: a hundred pods of every family
 2 test_manager: a dual stack pool that fails by half        12 test_manager: metrics have our names and hybridnet's
 3 a subnet that changes while pods come; manager_doubled    13 test_manager: a full subnet gives way to the next
 4 test_manager: a pool does not take…; manager_doubled      14 test_webhook_pods: POD_VALIDATE
 5 test_manager: quota labels follow the addresses…          15, 16, 17, 18, 20 test_webhook_definitions
 6 what is being deleted leaves no blank                     19 test_webhook_definitions: two replicas admit one
 7 metrics are those of the new status                       27, 28 test_sandboxes
 8 test_manager_rules: names that no label can hold
 9 an address that ends in zeros; 10 what others wrote
"""
import pytest

from lab.shell import wait_until
from managertool import DEFAULT_OVERLAY, FINALIZER, OURS, PREFIX, STATEFUL_SET, annotated, managed, network, node, pod, subnet


@pytest.fixture(scope="module")
def world(apiserver):
    objects = node("defect1", rack="a"), network("over", {"type": "Overlay", "netID": 5}), subnet("over-4", "over", "10.88.0.0/24")
    with managed(apiserver, *objects, flags=["--feature-gates=VMIPRetain=true"], env=DEFAULT_OVERLAY) as w:
        yield w


def create(world, ns, name, **options):
    return world.create(ns, name, "defect1", **options)


def instance(ns, name, ip, p=None, owner=None, **more):
    meta = {"name": name, "namespace": ns, "finalizers": [FINALIZER], "labels": {PREFIX + "network": "over"}, **more}
    binding = {"referredObject": {"kind": "Pod", "name": p or "gone", "uid": "u"}, "nodeName": "defect1", "podUID": "no-such-uid",
               "podName": p or "gone"}
    return {"apiVersion": "networking.alibaba.com/v1", "kind": "IPInstance", "metadata": meta,
            "spec": {"network": "over", "subnet": "over-4", "binding": binding,
                     "address": {"version": "4", "ip": ip, "mac": "02:12:34:00:00:77"}}}


def test_what_others_wrote_into_metadata_stays(world, ns):
    p, (i,) = create(world, ns, "web-0", owners=STATEFUL_SET)
    path, pods = f"{OURS}/namespaces/{ns}/ipinstances/{i['metadata']['name']}", f"/api/v1/namespaces/{ns}/pods/web-0"
    team = {"apiVersion": "v1", "kind": "ConfigMap", "name": "team", "uid": "team-uid"}
    world.patch(path, {"metadata": {"finalizers": [FINALIZER, "team.example/keep"], "labels": {"team": "a"},
                                    "ownerReferences": i["metadata"]["ownerReferences"] + [team]}})
    world.patch(pods, {"metadata": {"finalizers": [FINALIZER, "team.example/keep"]}})
    world.delete_pod(ns, "web-0")
    (i,) = world.wait_reserved(ns, "web-0")
    wait_until(lambda: world.pod(ns, "web-0")["metadata"]["finalizers"] == ["team.example/keep"], lambda: str(world.pod(ns, "web-0")))
    world.patch(pods, {"metadata": {"finalizers": None}})
    world.wait_pod_gone(ns, "web-0")
    _, (i,) = create(world, ns, "web-0", owners=STATEFUL_SET)
    assert i["metadata"]["finalizers"] == [FINALIZER, "team.example/keep"]
    assert i["metadata"]["labels"]["team"] == "a"
    assert [o["kind"] for o in i["metadata"]["ownerReferences"]] == ["ConfigMap", "StatefulSet"]
    world.api.request("DELETE", path)
    wait_until(lambda: world.api.get(path)["metadata"]["finalizers"] == ["team.example/keep"], lambda: str(world.api.get(path)))
    world.patch(path, {"metadata": {"finalizers": None}})


def test_a_subnet_that_changes_while_pods_come_gives_no_address_twice(world, ns):
    other, pods = world.namespace(ns + "-b"), []
    for n in range(40):
        pods.append(world.post(pod((ns, other)[n % 2], f"p{n}", on="defect1")))
        world.patch(f"{OURS}/subnets/over-4", {"spec": {"range": {"reservedIPs": [f"10.88.0.{200 + n}"]}}})
    for p in pods:
        world.wait_bound(p)
    assert world.doubled() == {}
    world.patch(f"{OURS}/subnets/over-4", {"spec": {"range": {"reservedIPs": None}}})
    for n, p in enumerate(pods):
        world.delete_pod(p["metadata"]["namespace"], p["metadata"]["name"])
    world.wait_free(other)


def test_what_is_being_deleted_leaves_no_blank_in_lists(world):
    world.post(subnet("going", "over", "10.89.0.0/24"))
    world.post(node("going1"))
    world.wait_status("networks", "over", subnetList=["going", "over-4"], nodeList=["defect1", "going1"])
    world.patch(f"{OURS}/subnets/going", {"metadata": {"finalizers": ["team.example/keep"]}})
    world.remove("subnets", "going")
    world.wait_status("networks", "over", subnetList=["over-4"])
    world.patch(f"{OURS}/subnets/going", {"metadata": {"finalizers": None}})
    world.api.request("DELETE", "/api/v1/nodes/going1")
    world.wait_status("networks", "over", nodeList=["defect1"])


def test_metrics_are_those_of_the_new_status(world, ns):
    create(world, ns, "only")
    world.wait_status("subnets", "over-4", used=1)
    wait_until(lambda: world.managers[0].metric("subnet_ip_usage", subnetName="over-4", networkName="over", usageType="used") == 1,
               lambda: world.managers[0].http("/metrics"))


def test_objects_of_hybridnets_can_be_deleted(world):
    world.post({**network("theirs", {"type": "Underlay", "netID": 9, "nodeSelector": {"rack": "none"}}),
                "metadata": {"name": "theirs", "finalizers": [PREFIX + "metrics-registered"]}})
    world.remove("networks", "theirs")
    wait_until(lambda: world.api.request("GET", f"{OURS}/networks/theirs")[0] == 404, "the Network is gone")


def test_an_address_that_ends_in_zeros_has_a_name(world, ns):
    world.post(subnet("zeros", "over", "fd05::/120", start="fd05::", config={"private": True}))
    _, (i,) = create(world, ns, "first", annotations=annotated(specified_subnet="zeros", ip_family="IPv6"))
    assert (i["metadata"]["name"], i["spec"]["address"]["ip"]) == ("fd05-0-0-0-0-0-0-0", "fd05::/120")
    world.delete_pod(ns, "first")
    world.wait_free(ns)
    world.remove("subnets", "zeros")


def test_a_subnet_with_more_addresses_than_can_be_counted_is_as_fast_as_any(world, ns):
    world.post(subnet("vast", "over", "fd06::/64", config={"private": True}))
    how = dict(annotations=annotated(specified_subnet="vast", ip_family="IPv6"))
    assert [create(world, ns, f"v{n}", **how)[1][0]["spec"]["address"]["ip"] for n in range(3)] == ["fd06::1/64", "fd06::2/64", "fd06::3/64"]
    world.wait_status("subnets", "vast", total=2**31 - 1, used=3)
    for n in range(3):
        world.delete_pod(ns, f"v{n}")
    world.wait_free(ns)
    world.remove("subnets", "vast")


def test_what_slipped_past_the_webhooks_is_refused_with_a_condition_an_event_and_a_metric(world, ns):
    leader = world.managers[0]
    before = leader.metric("strata_objects_refused_total", kind="Subnet") or 0
    world.post(subnet("slipped", "over", "10.88.0.0/16"))  # lies across over-4
    condition = wait_until(lambda: next((c for c in world.status("subnets", "slipped").get("conditions", [])
                                         if c["type"] == "Accepted"), None), world.logs)
    assert (condition["status"], condition["reason"]) == ("False", "Refused")
    wait_until(lambda: any(e["reason"] == "Refused" and e["involvedObject"]["name"] == "slipped" and e["message"] == condition["message"]
                           for e in world.api.get("/api/v1/namespaces/default/events")["items"]), "there is an event")
    assert leader.metric("strata_objects_refused_total", kind="Subnet") > before
    _, (i,) = create(world, ns, "goes-on")
    assert i["spec"]["subnet"] == "over-4"
    world.remove("subnets", "slipped")


def test_an_address_of_a_pod_that_never_was_is_given_back(world, ns):
    status, answer = world.api.request("POST", f"{OURS}/namespaces/{ns}/ipinstances", instance(ns, "10-88-0-222", "10.88.0.222/24"))
    assert status == 201, answer
    world.wait_free(ns)


# ── flags ─────────────────────────────────────────────────────────────────────────────────────────

def instead(world, *flags):
    """The one manager of these tests, with other flags."""
    world.end()
    return world.start("--feature-gates=VMIPRetain=true", *flags, env=DEFAULT_OVERLAY)


def test_a_selector_says_which_pods_get_addresses(world, ns):
    instead(world, "--pod-label-selector=switch in (ours, strata),!test", "--controller-concurrency=Pod=1").wait_leading()
    try:
        world.post(pod(ns, "theirs", on="defect1"))
        world.post(pod(ns, "tested", on="defect1", labels={"switch": "ours", "test": ""}))
        p, (i,) = create(world, ns, "ours", labels={"switch": "ours"})
        assert {i["spec"]["binding"]["podName"] for i in world.instances(ns)} == {"ours"}
        world.patch(f"/api/v1/namespaces/{ns}/pods/theirs", {"metadata": {"labels": {"switch": "strata"}}})
        world.wait_bound(world.pod(ns, "theirs"))
        # Who has one keeps it, and gives it back at the end.
        world.patch(f"/api/v1/namespaces/{ns}/pods/ours", {"metadata": {"labels": {"switch": None}}})
        create(world, ns, "later", labels={"switch": "ours"})
        assert world.wait_bound(p)[0]["metadata"]["uid"] == i["metadata"]["uid"]
        for name in ("ours", "theirs", "later"):
            world.delete_pod(ns, name)
        world.wait_free(ns)
        assert "--controller-concurrency has no effect" in world.logs()
    finally:
        instead(world).wait_leading()


def test_no_more_requests_are_sent_than_the_flags_say(world):
    def asked(since):
        """What the store asked for; the Lease is not its."""
        return [e["requestURI"] for e in world.api.requests("strata-manager", verb="list")][since:]

    world.end()
    before = len(asked(0))
    held = instead(world, "--kube-client-qps=0.001", "--kube-client-burst=3")
    try:
        wait_until(held.leads, held.process.log_text, timeout=60)  # by a client of its own
        wait_until(lambda: len(asked(before)) >= 3, lambda: str(asked(before)))
        assert held.http("/readyz").endswith("503")
        assert len(asked(before)) == 3
    finally:
        instead(world, "--kube-client-qps=300", "--kube-client-burst=600").wait_leading()


# ── virtual machines ──────────────────────────────────────────────────────────────────────────────

def kubevirt(kind, plural):
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.kubevirt.io"},
            "spec": {"group": "kubevirt.io", "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "listKind": kind + "List"},
                     "versions": [{"name": "v1", "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


@pytest.fixture
def machines(world):
    for kind, plural in (("VirtualMachine", "virtualmachines"), ("VirtualMachineInstance", "virtualmachineinstances")):
        world.api.apply(kubevirt(kind, plural))
        wait_until(lambda: world.api.request("GET", f"/apis/kubevirt.io/v1/{plural}")[0] == 200, f"{plural} are served")

    def make(ns, kind, name, owner=None):
        meta = {"name": name, "namespace": ns, **({"ownerReferences": [owner]} if owner else {})}
        status, obj = world.api.request("POST", f"/apis/kubevirt.io/v1/namespaces/{ns}/{kind.lower()}s",
                                        {"apiVersion": "kubevirt.io/v1", "kind": kind, "metadata": meta})
        assert status == 201, obj
        return {"apiVersion": "kubevirt.io/v1", "kind": kind, "name": name, "uid": obj["metadata"]["uid"], "controller": True}

    yield make
    world.api.kubectl("delete crd virtualmachines.kubevirt.io virtualmachineinstances.kubevirt.io")


def test_a_virtual_machine_keeps_its_address_in_pods_of_any_name(world, ns, machines):
    vm = machines(ns, "VirtualMachine", "vm1")
    vmi = machines(ns, "VirtualMachineInstance", "vm1", vm)
    _, (before,) = create(world, ns, "virt-launcher-vm1-abcde", owners=[vmi])
    assert before["metadata"]["labels"][PREFIX + "vm"] == "vm1"
    assert before["spec"]["binding"]["referredObject"]["kind"] == "VirtualMachine"
    assert world.pod(ns, "virt-launcher-vm1-abcde")["metadata"]["finalizers"] == [FINALIZER]
    # While it runs, its address is its own: a migration's target waits.
    target = world.post(pod(ns, "virt-launcher-vm1-fghij", on="defect1", owners=[vmi]))
    wait_until(lambda: any("assigned ip is not available" in m for _, _, m in world.events(target)), world.logs)
    world.delete_pod(ns, "virt-launcher-vm1-abcde")
    world.wait_pod_gone(ns, "virt-launcher-vm1-abcde")
    (after,) = world.wait_bound(target)
    assert (after["metadata"]["uid"], after["spec"]["address"]) == (before["metadata"]["uid"], before["spec"]["address"])
    world.api.request("DELETE", f"/apis/kubevirt.io/v1/namespaces/{ns}/virtualmachines/vm1")
    world.delete_pod(ns, "virt-launcher-vm1-fghij")
    world.wait_pod_gone(ns, "virt-launcher-vm1-fghij")
    world.wait_free(ns)
