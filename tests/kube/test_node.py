"""The daemon of a node under a real API server. Objects are written by the test, as hybridnet's manager
writes them: the daemon must work with them unchanged, and with no right but its account's.

             192.0.2.1 (API server)
        ┌────────┴────────┐ bridge "cluster"
     n1 │                 │ 192.0.2.11
        daemon, pods
"""
import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import subprocess
import time

import pytest

from lab.lab import Lab, namespaces
from lab.node import CniError, VSWITCHD
from lab.pod import Pod
from lab.shell import Process, run, wait_until

GROUP = "networking.alibaba.com"
MANIFEST = pathlib.Path(__file__).resolve().parents[2] / "config/manifests/strata.yaml"
NODE = "node-n1"
ACCOUNT = "node-test"

OUTAGE = float(os.environ.get("STRATA_OUTAGE", "2"))  # seconds without API server or etcd

_addresses = itertools.count(10)


def network(name, **spec):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Network", "metadata": {"name": name}, "spec": spec}


def subnet(name, parent, cidr, gateway, **more):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Subnet", "metadata": {"name": name},
            "spec": {"network": parent, "range": {"version": "6" if ":" in cidr else "4", "cidr": cidr, "gateway": gateway},
                     **more}}


def upstream_ipinstance(pod, ip, net, sub, prefix, gateway, mac):
    """All that hybridnet's manager writes (its model v1.2)."""
    meta = pod["metadata"]
    label = f"{GROUP}/"
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "IPInstance",
        "metadata": {
            "name": ip.replace(".", "-") if ":" not in ip else "-".join(expand(ip)), "namespace": meta["namespace"],
            "finalizers": [f"{GROUP}/ip-allocated"],
            "labels": {label + "version": "v1.2", label + "subnet": sub, label + "network": net, label + "node": NODE,
                       label + "pod": meta["name"], label + "pod-uid": meta["uid"]},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"],
                                 "controller": True, "blockOwnerDeletion": False}]},
        "spec": {"network": net, "subnet": sub,
                 "address": {"version": "6" if ":" in ip else "4", "ip": f"{ip}/{prefix}", "gateway": gateway, "netID": 4,
                             "mac": mac},
                 "binding": {"referredObject": {"kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
                             "nodeName": NODE, "podUID": meta["uid"], "podName": meta["name"]}}}


def expand(ip):
    import ipaddress
    return [f"{int(g, 16):x}" for g in ipaddress.ip_address(ip).exploded.split(":")]


class Kube:
    """What the test writes into the API, and reads from it."""

    def __init__(self, apiserver):
        self.api = apiserver

    def post(self, path, obj):
        status, answer = self.api.request("POST", path, obj)
        assert status == 201, answer
        return answer

    def pod(self, name, namespace="default", handled=True, **annotations):
        """A scheduled Pod as the mutating webhook leaves it (handled), or without its mark."""
        marks = {f"{GROUP}/{k.replace('_', '-')}": v for k, v in annotations.items()}
        if handled:
            marks[f"{GROUP}/handled-by-webhook"] = "true"
        return self.post(f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": name, "namespace": namespace, "annotations": marks},
            "spec": {"nodeName": NODE, "automountServiceAccountToken": False,
                     "containers": [{"name": "c", "image": "i"}]}})

    def ipinstance(self, pod, ip=None, **changes):
        n = next(_addresses)
        ip = ip or f"100.64.0.{n}"
        six = ":" in ip
        obj = upstream_ipinstance(pod, ip, "network-0", "overlay6" if six else "overlay4", 64 if six else 16,
                                  "fd00:64::1" if six else "100.64.0.1", f"02:12:34:00:00:{n:02x}")
        obj["spec"]["address"].update(changes)
        return self.post(f"/apis/{GROUP}/v1/namespaces/{pod['metadata']['namespace']}/ipinstances", obj)

    def status_of(self, instance):
        meta = instance["metadata"]
        found = self.api.get(f"/apis/{GROUP}/v1/namespaces/{meta['namespace']}/ipinstances/{meta['name']}")
        return found.get("status", {})

    def conditions_of(self, instance):
        return {c["type"]: c for c in self.status_of(instance).get("conditions", [])}

    def events_of(self, name, namespace="default"):
        events = self.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
        return [e for e in events if e["involvedObject"]["name"] == name]


@pytest.fixture(scope="module")
def kube(apiserver):
    apiserver.wipe()
    kube = Kube(apiserver)
    # The account has what the manifest gives it, and nothing else.
    role = [d for d in MANIFEST.read_text().split("\n---\n") if "kind: ClusterRole\n" in d and "name: strata-node\n" in d]
    apiserver.apply(*role)
    apiserver.grant(ACCOUNT, role="strata-node")
    kube.post("/api/v1/nodes", {"metadata": {"name": NODE, "labels": {"network": "network1"}}})
    apiserver.apply(network("network-0", type="Overlay", netID=4),
                    subnet("overlay4", "network-0", "100.64.0.0/16", "100.64.0.1"),
                    subnet("overlay6", "network-0", "fd00:64::/64", "fd00:64::1"))
    yield kube
    apiserver.wipe()
    apiserver.request("DELETE", f"/api/v1/nodes/{NODE}")


@pytest.fixture(scope="module")
def lab():
    prefix = f"node{os.getpid()}-"
    lab = Lab(prefix, f"/run/strata-{prefix[:-1]}")
    try:
        yield lab
    finally:
        for node in lab.nodes.values():
            if node.process is not None:
                node.stop()
        lab.down()
    assert namespaces(prefix) == []


@pytest.fixture(scope="module")
def node(lab, apiserver, kube):
    kubeconfig = apiserver.write_kubeconfig(lab.directory / "node.kubeconfig", apiserver.token(ACCOUNT))
    node = lab.add_node("n1", start=False, addresses=["10.88.0.1/24"], env={"KUBE_NODE_NAME": NODE},
                        settings={"node": {"name": None}, "log": {"level": "debug"}, "attach": {"timeout": 3000},
                                  "store": {"kind": "kube", "kubeconfig": str(kubeconfig)}})
    port = f"to-{lab.prefix[4:-1]}"
    run(["ip", "link", "add", "api", "netns", node.ns, "type", "veth", "peer", "name", port, "netns", apiserver.ns])
    run(f"ip link set {port} master cluster up", ns=apiserver.ns)
    run("ip address add 192.0.2.11/24 dev api", ns=node.ns)
    run("ip link set api up", ns=node.ns)
    return node.start()


@pytest.fixture(autouse=True)
def log_of_failures(request):
    yield
    report = getattr(request.node, "report", None)
    if report is not None and report.failed and "node" in request.fixturenames:
        print(request.getfixturevalue("node").log()[-6000:])


class KubePod(Pod):
    """A pod whose wishes are in the API, not in the network configuration."""

    def __init__(self, node, obj, container=None):
        meta = obj["metadata"]
        super().__init__(node, meta["name"], meta["namespace"])
        self.uid = meta["uid"]
        self.container = container or self.container

    def cni(self, command, **options):
        return self.node.cni(
            command, container=self.container, netns=options.pop("netns", self.netns), ifname=self.ifname,
            args={"IgnoreUnknown": 1, "K8S_POD_NAMESPACE": self.namespace, "K8S_POD_NAME": self.name,
                  "K8S_POD_UID": self.uid, "K8S_POD_INFRA_CONTAINER_ID": self.container}, **options)


def attach(node, obj):
    pod = KubePod(node, obj)
    node.lab.pods[pod.name] = pod
    return pod.create().attach()


def wait_known(node, obj):
    """Until the daemon's cache has it: in a while only, if the API server was away."""
    kind, name = obj["kind"].lower(), obj["metadata"]["name"]
    wait_until(lambda: name in {i["metadata"]["name"] for i in node.get(kind)}, f"{name} on the node", timeout=90)


def started(node, kube, name, **options):
    """A pod that is up, its addresses there before."""
    obj = kube.pod(name, **options)
    instance = kube.ipinstance(obj)
    wait_known(node, instance)
    wait_known(node, obj)
    return attach(node, obj), instance


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


# ── Without the API server ─────────────────────────────────────────────────────────────────────────

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
