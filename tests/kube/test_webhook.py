"""The admission webhooks in a real API server: every rule with its words, the certificate, and what happens without them.

Served by webhook_server (the webhooks alone: no controller writes meanwhile) in the API server's namespace.
"""
import base64
import json
import os
import pathlib
import ssl
import threading
import time

import pytest
import yaml

from lab import netns
from lab.apiserver import ISSUER
from lab.certificates import sign_token
from lab.shell import run, wait_until
from managertool import FAST, World

SERVER = pathlib.Path(os.environ.get("STRATA_BUILD", "build")) / "tests/kube/webhook_server"
CONFIG = pathlib.Path(__file__).resolve().parents[2] / "config"
PORT = 9898
GROUP = "/apis/networking.alibaba.com/v1"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
SECRET = "/api/v1/namespaces/kube-system/secrets/strata-webhook"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/strata-admission"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PREFIX = "networking.alibaba.com/"
NODE_ACCOUNT = "system:serviceaccount:kube-system:strata-node"


def configurations(port=PORT, mutate=True):
    """(path, object) of the webhook configurations as they are installed, but for a port of this host instead of a Service.
    mutate False: Pods are only validated."""
    for document in yaml.safe_load_all((CONFIG / "manifests/strata.yaml").read_text()):
        if document is None or not document["kind"].endswith("WebhookConfiguration"):
            continue
        for hook in document["webhooks"]:
            path = hook["clientConfig"]["service"]["path"]
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}"}
        if document["kind"].startswith("Mutating") and not mutate:
            document["webhooks"] = []
        yield f"{HOOKS}/{document['kind'].lower()}s", document


class Webhook:
    def __init__(self, api):
        self.api, self.processes = api, []

    def start(self, port=PORT, namespace="kube-system", family=""):
        process = self.api.spawn([SERVER, self.api.kubeconfig, port, namespace, "127.0.0.1", "Underlay", family], "webhook")
        self.processes.append(process)
        wait_until(lambda: self.readiness(port) == "200", lambda: f"the webhooks are ready:\n{process.log_text()}")
        return process

    def readiness(self, port):
        return run(f"curl -s -o /dev/null -w %{{http_code}} http://127.0.0.1:{port + 1}/readyz", ns=self.api.ns, check=False)

    def register(self, **options):
        self.uninstall()
        for path, configuration in configurations(**options):
            status, answer = self.api.request("POST", path, configuration)
            assert status == 201, answer

    def install(self, mutate=True):
        """Registers the webhooks, and waits until the API server asks them."""
        self.register(mutate=mutate)
        self.wait_asked(mutate)

    def wait_asked(self, mutates):
        # A dry run, for nothing is to stay of it. Bundles are looked at every ten seconds.
        def asked():
            status, _ = self.api.request("POST", f"{GROUP}/networks?dryRun=All", network("probe", {"type": "Overlay", "netID": 4}))
            if status not in (201, 403):
                return False
            status, pod = self.api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod_object("probe", {}))
            return (not mutates or PREFIX + "handled-by-webhook" in pod["metadata"].get("annotations", {})
                    or status == 403)

        wait_until(asked, lambda: "the API server asks the webhooks:\n" + "".join(p.log_text()[-2000:] for p in self.processes),
                   timeout=40, interval=0.3)

    def uninstall(self):
        for path, configuration in configurations():
            self.api.request("DELETE", f"{path}/{configuration['metadata']['name']}")

    def stop(self):
        codes = [process.stop() for process in self.processes]
        self.processes = []
        return codes

    def log_text(self):
        return "".join(p.log_text() for p in self.processes)


@pytest.fixture(scope="module")
def api(apiserver):
    """The API server with hybridnet's looser schemas of Networks and Subnets: whoever has those still gets every refusal
    in its words."""
    kept = {}
    for kind in ("networks", "subnets"):
        path = f"{CRDS}/{kind}.networking.alibaba.com"
        kept[path] = apiserver.get(path)
        apiserver.request("PUT", path, loosened(kept[path]))
    yield apiserver
    apiserver.wipe()
    for path, crd in kept.items():
        now = apiserver.get(path)
        now["spec"] = crd["spec"]
        apiserver.request("PUT", path, now)


def loosened(crd):
    def strip(schema):
        for key in ("enum", "minimum", "maximum", "pattern", "minLength"):
            schema.pop(key, None)
        for child in (*schema.get("properties", {}).values(), schema.get("items", {})):
            if child:
                strip(child)

    crd = json.loads(json.dumps(crd))
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    strip(spec)
    return crd


@pytest.fixture(scope="module")
def webhook(api):
    w = Webhook(api)
    api.wipe()
    api.request("DELETE", SECRET)
    api.request("DELETE", LEASE)
    try:
        w.start()
        w.install()
        yield w
    finally:
        w.uninstall()
        codes = w.stop()
    assert codes == [0] * len(codes)


@pytest.fixture
def clean(webhook):
    """No objects, and no memory of any that were admitted a moment ago."""
    wipe(webhook)
    yield webhook
    wipe(webhook)


def wipe(webhook):
    api = webhook.api
    for process in webhook.processes:
        assert process.alive(), process.log_text()[-3000:]
    api.request("DELETE", LEASE)
    api.wipe()
    for name in [n["metadata"]["name"] for n in api.get("/api/v1/nodes")["items"]]:
        api.request("DELETE", f"/api/v1/nodes/{name}")
    for kind in ("ipinstances", "subnets", "networks"):
        wait_until(lambda: api.objects(kind) == [], f"{kind} are gone")


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────


def network(name, spec, status=None):
    return {"apiVersion": "networking.alibaba.com/v1", "kind": "Network", "metadata": {"name": name}, "spec": spec,
            **({"status": status} if status else {})}


def subnet(name, spec):
    return {"apiVersion": "networking.alibaba.com/v1", "kind": "Subnet", "metadata": {"name": name}, "spec": spec}


def pod_object(name, annotations, labels=None, spec=None):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "annotations": {PREFIX + k: v for k, v in annotations.items()}, "labels": labels or {}},
            "spec": {"containers": [{"name": "c", "image": "i"}], **(spec or {})}}


def instance(name, network, subnet, ip, pod="", node="", namespace="default"):
    return {"apiVersion": "networking.alibaba.com/v1", "kind": "IPInstance",
            "metadata": {"name": name, "namespace": namespace,
                         "labels": {PREFIX + "subnet": subnet, PREFIX + "network": network, PREFIX + "pod": pod}},
            "spec": {"network": network, "subnet": subnet, "address": {"version": "6" if ":" in ip else "4", "ip": ip,
                                                                      "mac": "02:12:34:00:00:01"},
                     "binding": {"podName": pod, "nodeName": node}}}


def add_node(api, name, labels):
    status, answer = api.request("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    assert status == 201, answer


def create(api, obj):
    """Must be admitted."""
    path = {"Network": "networks", "Subnet": "subnets", "IPInstance": "namespaces/default/ipinstances"}[obj["kind"]]
    status, answer = api.request("POST", f"{GROUP}/{path}", obj)
    assert status == 201, answer
    return answer


def set_status(api, kind, name, status):
    code, answer = api.request("PATCH", f"{GROUP}/{kind}/{name}/status", {"status": status}, "application/merge-patch+json")
    assert code == 200, answer


def words(status, answer):
    """"" if it was done; else the webhook's own words."""
    if status in (200, 201):
        return ""
    prefix = 'admission webhook "'
    assert answer["message"].startswith(prefix), answer
    return answer["message"].split(' denied the request: ', 1)[1]


def create_words(api, kind, name, spec, dry=True):
    obj = network(name, spec) if kind == "networks" else subnet(name, spec)
    return words(*api.request("POST", f"{GROUP}/{kind}{'?dryRun=All' if dry else ''}", obj))


def update_words(api, kind, name, spec):
    obj = api.get(f"{GROUP}/{kind}/{name}")
    obj["spec"] = spec
    return words(*api.request("PUT", f"{GROUP}/{kind}/{name}?dryRun=All", obj))


def delete_words(api, kind, name):
    return words(*api.request("DELETE", f"{GROUP}/{kind}/{name}?dryRun=All"))


def pod_words(api, annotations, dry=True, **more):
    return words(*api.request("POST", f"/api/v1/namespaces/default/pods{'?dryRun=All' if dry else ''}",
                              pod_object("pod", annotations, **more)))


# ── 4.2 Networks ─────────────────────────────────────────────────────────────────────────────────────

SELECTOR = {"nodeSelector": {"net": "c"}}
PEER = {"asn": 200, "address": "192.168.56.254"}
BGP = {"mode": "BGP", "netID": 100, "nodeSelector": {"net": "c"}}

NETWORK_CREATE = [
    (SELECTOR, ""),
    ({"type": "Underlay"}, "must have node selector for underlay network"),
    ({"nodeSelector": {"net": "a"}}, "underlay network cannot be overlapped"),
    ({"type": "Overlay", "netID": 5}, "must have one overlay network at most"),
    ({"type": "GlobalBGP"}, "must have one global bgp network at most"),
    ({"type": "others"}, "unknown network type others"),
    ({"type": "overlay"}, "unknown network type overlay"),
    ({**SELECTOR, "mode": "BGP"}, "must assign net ID for bgp network"),
    (BGP, "at least one bgp router need to be set"),
    ({**BGP, "config": {"bgpPeers": [{"asn": 1, "address": "192.168.56"}]}}, "invalid bgp peer ip address 192.168.56"),
    ({**BGP, "config": {"bgpPeers": [{"asn": 0, "address": "10.0.0.1"}]}}, "bgp peer 10.0.0.1's AS number need to be set"),
    ({**BGP, "config": {"bgpPeers": [PEER]}}, ""),
    ({**SELECTOR, "mode": "VXLAN"}, "VXLAN mode can only be used for overlay network"),
    ({**SELECTOR, "mode": "GlobalBGP"}, "GlobalBGP mode can only be used for global bgp network"),
    ({**SELECTOR, "mode": "vlan"}, "unknown network mode vlan"),
    # Of our own: hybridnet takes them, and its nodes stop (appendix A, 16).
    ({**SELECTOR, "netID": 4094}, ""),
    ({**SELECTOR, "netID": 5000}, "VLAN id 5000 is out of range 0-4094"),
    ({**SELECTOR, "netID": -1}, "VLAN id -1 is out of range 0-4094"),
]

NETWORK_CREATE_ALONE = [
    ({"type": "Overlay", "netID": 4}, ""),
    ({"type": "Overlay", "netID": 4, "nodeSelector": {"a": "b"}}, "must not assign node selector for overlay network"),
    ({"type": "Overlay"}, "must assign net ID for overlay network"),
    ({"type": "Overlay", "netID": 4, "mode": "BGP"}, "BGP mode can only be used for underlay network"),
    ({"type": "Overlay", "netID": 4, "mode": "VLAN"}, "VLAN mode can only be used for underlay network"),
    ({"type": "Overlay", "netID": 0}, "VNI 0 is out of range 1-16777215"),
    ({"type": "Overlay", "netID": 16777216}, "VNI 16777216 is out of range 1-16777215"),
    ({"type": "GlobalBGP"}, ""),
    ({"type": "GlobalBGP", "nodeSelector": {"a": "b"}}, "must not assign node selector for global bgp network"),
    ({"type": "GlobalBGP", "netID": 1}, "must not assign net ID for global bgp network"),
]


@pytest.fixture
def networks(clean):
    """One of each type, and a node in each underlay one."""
    api = clean.api
    add_node(api, "wh-node1", {"net": "a"})
    add_node(api, "wh-node2", {"net": "b"})
    create(api, network("vlan", {"nodeSelector": {"net": "a"}, "netID": 10}))
    create(api, network("bare", {"nodeSelector": {"net": "bare"}}))
    create(api, network("overlay", {"type": "Overlay", "netID": 4}))
    create(api, network("bgp", {"nodeSelector": {"net": "b"}, "mode": "BGP", "netID": 100, "config": {"bgpPeers": [PEER]}}))
    create(api, network("global", {"type": "GlobalBGP"}))
    return api


def check(rows, ask):
    wrong = [(spec, said, message) for spec, message in rows if (said := ask(spec)) != message]
    assert wrong == []


def test_networks_are_created_by_the_rules(networks):
    check(NETWORK_CREATE, lambda spec: create_words(networks, "networks", "new", spec))


def test_first_networks_are_created_by_the_rules(clean):
    check(NETWORK_CREATE_ALONE, lambda spec: create_words(clean.api, "networks", "new", spec))


def test_networks_are_changed_by_the_rules(networks):
    vlan = {"nodeSelector": {"net": "a"}, "netID": 10}
    bgp = {"nodeSelector": {"net": "b"}, "mode": "BGP", "netID": 100}
    rows = [
        ("vlan", vlan, ""),
        ("vlan", {**vlan, "nodeSelector": {"net": "d"}}, ""),
        ("vlan", {"type": "Overlay", "netID": 10}, "network type must not be changed"),
        ("vlan", {"netID": 10}, "must have node selector for underlay network"),
        ("vlan", {**vlan, "mode": "VLAN"}, "network mode must not be changed"),
        ("vlan", {**vlan, "netID": 11}, "net ID must not be changed"),
        ("vlan", {"nodeSelector": {"net": "a"}}, "net ID must not be changed"),
        ("bare", {"nodeSelector": {"net": "bare"}, "netID": 1}, "net ID must not be changed"),
        ("overlay", {"type": "Overlay", "netID": 4, "nodeSelector": {"a": "b"}},
         "node selector must not be assigned for overlay network"),
        ("global", {"type": "GlobalBGP", "nodeSelector": {"a": "b"}},
         "node selector must not be assigned for global bgp network"),
        ("bgp", {**bgp, "config": {"bgpPeers": []}}, "at least one bgp router need to be set"),
        ("bgp", {**bgp, "config": {"bgpPeers": [{"asn": 1, "address": "x"}]}}, "invalid bgp peer ip address x"),
        # What hybridnet's webhook does not survive or does not look at (appendix A, 15).
        ("bgp", bgp, "at least one bgp router need to be set"),
        ("bgp", {**bgp, "config": {"bgpPeers": [{"asn": 0, "address": "10.0.0.1"}]}},
         "bgp peer 10.0.0.1's AS number need to be set"),
        ("vlan", {**vlan, "nodeSelector": {"net": "b"}}, "underlay network cannot be overlapped"),
    ]
    wrong = [(name, spec, said) for name, spec, message in rows
             if (said := update_words(networks, "networks", name, spec)) != message]
    assert wrong == []


def test_networks_in_use_are_not_deleted(networks):
    create(networks, subnet("s", {"network": "overlay", "range": {"version": "4", "cidr": "10.7.0.0/24"}}))
    assert delete_words(networks, "networks", "overlay") == "still have child subnet s"
    assert delete_words(networks, "networks", "vlan") == ""
    set_status(networks, "networks", "bgp", {"nodeList": ["wh-node2"]})
    assert delete_words(networks, "networks", "bgp") == ""
    create(networks, subnet("g", {"network": "global", "range": {"version": "4", "cidr": "10.8.0.0/24"}}))
    create(networks, instance("10-8-0-5", "global", "g", "10.8.0.5/24", node="wh-node2"))
    assert delete_words(networks, "networks", "bgp") == "still have global bgp ip instance in use"


# ── 4.3, 4.4 Subnets ─────────────────────────────────────────────────────────────────────────────────


def vlan(**members):
    return {"network": "vlan", "range": {"version": "4", "cidr": "192.168.8.0/24", "gateway": "192.168.8.254", **members}}


def other(network, cidr="10.9.0.0/24", version="4", **spec):
    return {"network": network, "range": {"version": version, "cidr": cidr}, **spec}


SUBNET_CREATE = [
    (vlan(), ""),
    (other(""), "must have parent network"),
    (other("none"), "parent network none does not exist"),
    ({**vlan(), "network": "bare"}, "must have valid Net ID"),
    ({**vlan(), "network": "bare", "netID": 7}, ""),
    ({**vlan(), "network": "bare", "netID": 5000}, "VLAN id 5000 is out of range 0-4094"),
    ({**vlan(), "netID": 11}, "have inconsistent Net ID with network"),
    ({**vlan(), "config": {"autoNatOutgoing": True}}, "must not set autoNatOutgoing with underlay subnet"),
    (vlan(gateway=""), "must assign gateway for a vlan subnet"),
    (other("bgp", netID=1), "must not assign net ID for (global) bgp subnet"),
    (other("global", netID=1), "must not assign net ID for (global) bgp subnet"),
    (other("bgp", config={"autoNatOutgoing": False}), "must not set autoNatOutgoing with underlay subnet"),
    (other("overlay", netID=4), "must not assign net ID for overlay subnet"),
    (vlan(version="123"), "unsupported IP Version 123"),
    (vlan(start="192.168.8"), "invalid range start 192.168.8"),
    (vlan(end="192.168.8"), "invalid range end 192.168.8"),
    (vlan(cidr="192.168.8/24"), "invalid range CIDR 192.168.8/24"),
    (vlan(cidr="192.168.8.10/24"), "CIDR notation is not standard, should start from 192.168.8.0 but from 192.168.8.10"),
    (vlan(cidr="192.168.8.1/32", gateway="192.168.8.1"), "types of /32 or /128 cidrs is not supported"),
    (vlan(start="192.168.9.1"), "start 192.168.9.1 is not in CIDR 192.168.8.0/24"),
    (vlan(end="192.168.9.1"), "end 192.168.9.1 is not in CIDR 192.168.8.0/24"),
    (vlan(start="192.168.8.11", end="192.168.8.10"),
     "subnet should have at least one available IP. start=192.168.8.11, end=192.168.8.10"),
    (vlan(gateway="192.168.8"), "invalid range gateway 192.168.8"),
    (vlan(version="6"), "address families of ip version and gateway mismatch"),
    (vlan(gateway="192.168.9.254"), "gateway 192.168.9.254 is not in CIDR 192.168.8.0/24"),
    (vlan(reservedIPs=["192.168.8"]), "invalid reserved ip 192.168.8"),
    (vlan(reservedIPs=["192.168.9.100"]), "reserved ip 192.168.9.100 is not in CIDR 192.168.8.0/24"),
    (vlan(excludeIPs=["192.168.8"]), "invalid excluded ip 192.168.8"),
    (vlan(excludeIPs=["192.168.9.100"]), "excluded ip 192.168.9.100 is not in CIDR 192.168.8.0/24"),
    (vlan(start="192.168.8.10", end="192.168.8.100", reservedIPs=["192.168.8.50"], excludeIPs=["192.168.8.90"]), ""),
    (other("overlay", cidr="10.9.0.0/31"), "canonicalize subnet failed: CIDR 10.9.0.0/31 too small to allocate from"),
    (other("overlay", cidr="10.0.0.0/16"),
     "different but overlapped CIDR with existing subnet there, this is not suppored yet"),
    (other("overlay", cidr="10.0.1.0/24"),
     "the same CIDR with existing subnet there, this is allowed but need to be in the same network"),
    (vlan(cidr="10.0.1.0/24", gateway="10.0.1.1", start="10.0.1.50"), "overlap with existing subnet there"),
    (vlan(cidr="10.0.1.0/24", gateway="10.0.1.1", start="10.0.1.101"), ""),
    # hybridnet does not compare version and CIDR without a gateway (appendix A, 17).
    (other("overlay", version="6"), "address families of ip version and CIDR mismatch"),
    # It never comes to the end of ranges like these (18); we have no limit of 65536 addresses either.
    (other("overlay", cidr="fd00:1::/48", version="6"), ""),
    (other("overlay", cidr="fd00::/64", version="6"), "the same CIDR with existing subnet there6, this is allowed but need "
                                                      "to be in the same network"),
]


@pytest.fixture
def subnets(networks):
    create(networks, subnet("there", vlan(cidr="10.0.1.0/24", gateway="10.0.1.1", end="10.0.1.100")))
    create(networks, subnet("there6", vlan(cidr="fd00::/64", gateway="fd00::1", version="6")))
    return networks


def test_subnets_are_created_by_the_rules(subnets):
    check(SUBNET_CREATE, lambda spec: create_words(subnets, "subnets", "new", spec))


def test_a_name_that_no_label_can_hold_is_refused(subnets):
    name = "x" * 64
    assert create_words(subnets, "subnets", name, vlan()) == f"name {name} is longer than the 63 characters of a label"


def test_subnets_are_changed_by_the_rules(networks):
    base = vlan(start="192.168.8.10", end="192.168.8.100", excludeIPs=["192.168.8.20", "192.168.8.21"])
    create(networks, subnet("v", base))
    create(networks, subnet("o", other("overlay")))
    create(networks, subnet("b", other("bgp", cidr="10.10.0.0/24")))

    def changed(**members):
        return {**base, "range": {**base["range"], **members}}

    rows = [
        ("v", base, ""),
        ("v", changed(excludeIPs=["192.168.8.21", "192.168.8.20"]), ""),
        ("v", {**changed(reservedIPs=["192.168.8.30"]), "config": {"private": True}}, ""),
        ("v", {**base, "network": "overlay"}, "must not change parent network"),
        ("v", {**base, "netID": 10}, "must not change net ID"),
        ("v", {**base, "config": {"autoNatOutgoing": True}}, "must not set autoNatOutgoing with vlan subnet"),
        ("v", changed(start="192.168.8.11"), "must not change range start"),
        ("v", changed(end="192.168.8.101"), "must not change range end"),
        ("v", changed(gateway="192.168.8.253"), "must not change range gateway"),
        ("v", changed(cidr="192.168.0.0/16"), "must not change range CIDR"),
        ("v", changed(excludeIPs=["192.168.8.20"]), "must not change excluded IPs"),
        ("v", changed(reservedIPs=["192.168.9.30"]), "reserved ip 192.168.9.30 is not in CIDR 192.168.8.0/24"),
        ("v", changed(version="123"), "unsupported IP Version 123"),
        ("o", other("overlay", netID=4), "must not assign net ID for overlay subnet"),
        ("o", other("overlay", config={"autoNatOutgoing": False}), ""),
        ("b", other("bgp", cidr="10.10.0.0/24", netID=1), "must not assign net ID for (global) bgp subnet"),
        ("b", other("bgp", cidr="10.10.0.0/24", config={"autoNatOutgoing": True}),
         "must not set autoNatOutgoing with (global) bgp subnet"),
    ]
    wrong = [(name, spec, said) for name, spec, message in rows
             if (said := update_words(networks, "subnets", name, spec)) != message]
    assert wrong == []


def test_subnets_in_use_are_not_deleted(subnets):
    assert delete_words(subnets, "subnets", "there") == ""
    create(subnets, instance("10-0-1-5", "vlan", "there", "10.0.1.5/24", pod="p"))
    create(subnets, instance("10-0-1-6", "vlan", "there", "10.0.1.6/24"))
    assert delete_words(subnets, "subnets", "there") == "still have using ips [10.0.1.5 10.0.1.6]"


# ── 4.5 Pods ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pods(clean):
    api = clean.api
    create(api, network("vlan", {"nodeSelector": {"net": "a"}, "netID": 10}))
    create(api, network("overlay", {"type": "Overlay", "netID": 4}))
    create(api, subnet("v4", vlan(cidr="192.168.56.0/24", gateway="192.168.56.1")))
    create(api, subnet("v6", vlan(cidr="fd00::/64", gateway="fd00::1", version="6")))
    create(api, subnet("o4", other("overlay", cidr="100.64.0.0/16")))
    return clean


POD_VALIDATE = [
    ({}, ""),
    ({"specified-network": "vlan"}, ""),
    ({"specified-network": "none"}, "specified network none not found"),
    ({"specified-network": "vlan", "network-type": "Overlay"},
     "specified network type mismatch, network-type Overlay, network vlan"),
    ({"specified-subnet": "v4/v6/o4"}, "cannot have more than two specified subnet in dualstack"),
    ({"specified-subnet": "none"}, "specified subnet none not found"),
    ({"specified-subnet": "v6/v4"},
     'when both ipv4/ipv6 subnets are specified, the subnet name in front of the "/" should be an ipv4 subnet'),
    ({"specified-subnet": "v4/o4"},
     'when both ipv4/ipv6 subnets are specified, the subnet name after the "/" should be an ipv6 subnet'),
    ({"specified-subnet": "o4/v6"}, "the networks of ipv4/ipv6 subnets need to be the same"),
    ({"specified-network": "overlay", "specified-subnet": "v4"},
     "specified network and subnet conflict in /v1, Kind=Pod default/pod"),
    ({"ip-pool": "192.168.56.5"}, "ip pool and network(subnet) must be specified at the same time"),
    ({"specified-network": "vlan", "ip-pool": "192.168.56.5,"}, "the 1 ip in ip pool is empty"),
    ({"specified-network": "vlan", "ip-pool": "192.168.56.5,192.168.56"}, "ip pool has an invalid ip 192.168.56"),
    # hybridnet refuses every pool of more than one element (appendix A, 14).
    ({"specified-network": "vlan", "ip-pool": "192.168.56.5,192.168.56.6"}, ""),
    ({"specified-network": "vlan", "ip-pool": "192.168.56.5/fd00::5,192.168.56.6/fd00::6"}, ""),
    ({"mac-pool": ",02:12:34:00:00:01"}, "the 0 mac addr in mac pool is empty"),
    ({"mac-pool": "02:12:34:00:00:01,1.2.3.4"}, "the 1 mac address 1.2.3.4 is not valid"),
    ({"network-type": "others"}, "unrecognized network type others"),
    ({"ip-family": "v4"}, "unrecognized ip family v4"),
    ({"network-type": "GlobalBGP"}, "no network found by type GlobalBGP"),
    ({"network-type": "Overlay"}, ""),
    ({"network-type": "Overlay", "ip-family": "IPv6"}, "lacking ipv6 addresses by network type Overlay"),
    ({"network-type": "Overlay", "ip-family": "DualStack"}, "lacking dual stack addresses by network type Overlay"),
]


class TestWithoutMutation:
    @pytest.fixture(autouse=True)
    def only(self, webhook):
        webhook.install(mutate=False)
        yield
        webhook.install()

    def test_pods_are_validated_by_the_rules(self, pods):
        check(POD_VALIDATE, lambda annotations: pod_words(pods.api, annotations))
        set_status(pods.api, "subnets", "o4", {"total": 65534, "used": 65534, "available": 0})
        wait_until(lambda: pod_words(pods.api, {"network-type": "Overlay"})
                   == "lacking ipv4 addresses by network type Overlay", "the overlay is full")

    def test_a_former_address_goes_with_what_is_asked_for(self, pods):
        create(pods.api, instance("192-168-56-9", "vlan", "v4", "192.168.56.9/24", pod="pod"))
        check([
            ({"specified-network": "vlan"}, ""),
            ({"specified-network": "overlay"},
             "pod has assigned ip 192.168.56.9/24 of network vlan, cannot assign to another network overlay"),
            ({"specified-subnet": "v6", "ip-family": "IPv6"},
             "pod has assigend ip 192.168.56.9/24 of subnet v4, cannot assign to another subnet by specified string v6"),
        ], lambda annotations: pod_words(pods.api, annotations))


def test_what_a_pod_asks_for_in_vain_is_said_by_mutation(pods):
    check([({"specified-subnet": "none"}, "unable to parse network config for pod: specified subnet none not found"),
           ({"network-type": "others"}, "unable to parse network config for pod: unrecognized network type others")],
          lambda annotations: pod_words(pods.api, annotations))


def mutated(api, annotations, **more):
    """What the Pod gained: annotations without their prefix, and its node selector."""
    status, pod = api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod_object("pod", annotations, **more))
    assert status == 201, pod
    return ({k.removeprefix(PREFIX): v for k, v in pod["metadata"].get("annotations", {}).items()},
            pod["spec"].get("nodeSelector", {}))


def test_pods_are_told_their_network_and_nodes(pods):
    api = pods.api
    said = {"network-type": "Underlay", "ip-family": "IPv4Only", "handled-by-webhook": "true"}
    assert mutated(api, {}) == (said, {PREFIX + "underlay-network-attachment": "true", PREFIX + "ipv4-address-quota": "nonempty"})
    assert mutated(api, {"specified-subnet": "v4/v6", "ip-family": "dualstack"}) == (
        {**said, "ip-family": "DualStack", "specified-network": "vlan", "specified-subnet": "v4/v6"},
        {"net": "a", PREFIX + "dualstack-address-quota": "nonempty"})
    assert mutated(api, {"network-type": "overlay"}) == (
        {**said, "network-type": "Overlay"}, {PREFIX + "overlay-network-attachment": "true"})
    # Labels do as well; a node selector of the Pod's own stays.
    annotations, selector = mutated(api, {}, labels={PREFIX + "specified-network": "overlay"}, spec={"nodeSelector": {"a": "b"}})
    assert annotations["specified-network"] == "overlay" and annotations["network-type"] == "Overlay"
    assert selector == {"a": "b", PREFIX + "overlay-network-attachment": "true"}


def test_the_namespace_speaks_for_silent_pods(pods):
    api = pods.api
    note = {"metadata": {"annotations": {PREFIX + "network-type": "overlay"}}}
    api.request("PATCH", "/api/v1/namespaces/default", note, "application/merge-patch+json")
    try:
        wait_until(lambda: mutated(api, {})[0]["network-type"] == "Overlay", "the namespace is heard")
        assert mutated(api, {"ip-family": "IPv4"})[0]["network-type"] == "Underlay"
    finally:
        note["metadata"]["annotations"][PREFIX + "network-type"] = None
        api.request("PATCH", "/api/v1/namespaces/default", note, "application/merge-patch+json")


def test_a_pod_that_keeps_its_address_needs_no_quota(pods):
    api = pods.api
    create(api, instance("fd00-0-0-0-0-0-0-9", "vlan", "v6", "fd00::9/64", pod="pod"))
    pod = pod_object("pod", {})
    pod["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "u", "controller": True}]

    def selector():
        status, made = api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod)
        assert status == 201, made
        return made["spec"]["nodeSelector"], made["metadata"]["annotations"][PREFIX + "ip-family"]

    wait_until(lambda: selector() == ({"net": "a"}, "IPv6Only"), "the kept address decides")


def test_host_network_pods_are_only_tolerant(pods):
    status, pod = pods.api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All",
                                   pod_object("pod", {"specified-network": "none"}, spec={"hostNetwork": True}))
    assert status == 201, pod
    assert {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
    assert PREFIX + "handled-by-webhook" not in pod["metadata"]["annotations"]


def test_ignored_pods_are_left_alone(pods):
    assert mutated(pods.api, {"specified-network": "none"}, labels={"webhook.hybridnet.io/ignore": "true"}) == (
        {"specified-network": "none"}, {})


def test_pods_whose_name_is_still_to_be_made_are_taken(pods):
    pod = pod_object("x", {})
    del pod["metadata"]["name"]
    pod["metadata"]["generateName"] = "web-"
    status, made = pods.api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod)
    assert status == 201 and made["metadata"]["annotations"][PREFIX + "handled-by-webhook"] == "true"


# ── what a node may write ────────────────────────────────────────────────────────────────────────────


def test_a_node_writes_its_own_objects_only(pods):
    api = pods.api
    api.grant("strata-node")
    token = node_token(api, "wh-node1")
    for i, node in ((5, "wh-node1"), (6, "wh-node2")):
        create(api, instance(f"192-168-56-{i}", "vlan", "v4", f"192.168.56.{i}/24", pod="p", node=node))

    def node_info(name):
        return words(*api.request("POST", f"{GROUP}/nodeinfoes", {
            "apiVersion": "networking.alibaba.com/v1", "kind": "NodeInfo", "metadata": {"name": name},
            "spec": {"vtepInfo": {"ip": "10.0.0.1", "mac": "02:00:00:00:00:01"}}}, token=token))

    def status_of(i, path="/status"):
        return words(*api.request("PATCH", f"{GROUP}/namespaces/default/ipinstances/192-168-56-{i}{path}",
                                  {"status": {"sandboxID": "s"}, "metadata": {"labels": {"a": "b"}}},
                                  "application/merge-patch+json", token=token))

    assert node_info("wh-node1") == ""
    assert node_info("wh-node2") == "node wh-node1 may not write nodeinfo wh-node2 of another node"
    assert status_of(5) == ""
    assert status_of(6) == "node wh-node1 may not write ipinstance 192-168-56-6 of another node"
    assert status_of(5, "") == "a node may write the status of its own ipinstances only, not ipinstance 192-168-56-5"


def node_token(api, node):
    """A token as a daemon's Pod has it: bound to the Pod, which runs on the node."""
    api.token("strata-node")  # makes the account
    account = api.get("/api/v1/namespaces/kube-system/serviceaccounts/strata-node")["metadata"]
    pod = pod_object("strata-node-1", {}, labels={"webhook.hybridnet.io/ignore": "true"})
    pod["spec"].update(serviceAccountName="strata-node", nodeName=node)
    status, made = api.request("POST", "/api/v1/namespaces/kube-system/pods", pod)
    assert status == 201, made
    now = int(time.time())
    return sign_token(api.pki / "accounts.key", {
        "iss": ISSUER, "aud": [ISSUER], "sub": NODE_ACCOUNT, "iat": now, "nbf": now - 60, "exp": now + 3600,
        "kubernetes.io": {"namespace": "kube-system", "serviceaccount": {"name": "strata-node", "uid": account["uid"]},
                          "pod": {"name": "strata-node-1", "uid": made["metadata"]["uid"]}}}, api.directory)


def test_ipinstances_written_by_hand_are_judged(pods):
    api = pods.api
    wrong = instance("192-168-57-9", "vlan", "v4", "192.168.57.9/24")
    path = f"{GROUP}/namespaces/default/ipinstances"
    assert words(*api.request("POST", path, wrong)) == "address 192.168.57.9 is not in CIDR 192.168.56.0/24 of subnet v4"
    create(api, instance("192-168-56-9", "vlan", "v4", "192.168.56.9/24"))
    assert words(*api.request("POST", path, instance("other", "vlan", "v4", "192.168.56.9/24"))) == (
        "address 192.168.56.9 is already that of ipinstance default/192-168-56-9")


# ── at the same time ─────────────────────────────────────────────────────────────────────────────────


def race(api, port, objects):
    """Reviews of objects sent to the webhooks at one moment, each to one of the ports in turn: who was admitted. Without the
    API server between, nothing of them is ever listed."""
    admitted, lock = [], threading.Lock()
    barrier = threading.Barrier(len(objects))
    bundle = base64.b64decode(api.get(SECRET)["data"]["ca.crt"]).decode()
    context = ssl.create_default_context(cadata=bundle)

    def ask(i, obj):
        plural = {"Network": "networks", "Subnet": "subnets"}[obj["kind"]]
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": str(i), "operation": "CREATE", "name": obj["metadata"]["name"],
            "resource": {"group": "networking.alibaba.com", "version": "v1", "resource": plural}, "object": obj,
            "userInfo": {"username": "admin"}}}).encode()
        with context.wrap_socket(netns.connect(api.ns, "127.0.0.1", port[i % len(port)]), server_hostname="127.0.0.1") as s:
            barrier.wait()
            s.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = b""
            while data := s.recv(65536):
                answer += data
        response = json.loads(answer.split(b"\r\n\r\n", 1)[1])["response"]
        if response["allowed"]:
            with lock:
                admitted.append(obj["metadata"]["name"])

    threads = [threading.Thread(target=ask, args=(i, obj)) for i, obj in enumerate(objects)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return admitted


def test_of_changes_that_exclude_each_other_two_replicas_admit_one(clean):
    api = clean.api
    second = clean.start(port=PORT + 10)
    try:
        overlays = [network(f"o{i}", {"type": "Overlay", "netID": 4}) for i in range(12)]
        assert len(race(api, (PORT, PORT + 10), overlays)) == 1
        api.request("DELETE", LEASE)
        create(api, network("overlay", {"type": "Overlay", "netID": 4}))
        same = [subnet(f"s{i}", other("overlay", cidr=f"10.{i}.0.0/8" if i == 0 else "10.0.0.0/8")) for i in range(12)]
        assert len(race(api, (PORT, PORT + 10), same)) == 1
        apart = [subnet(f"a{i}", other("overlay", cidr=f"172.16.{i}.0/24")) for i in range(8)]
        assert len(race(api, (PORT, PORT + 10), apart)) == 8
    finally:
        clean.processes.remove(second)
        assert second.stop() == 0


# ── the certificate ──────────────────────────────────────────────────────────────────────────────────


def installed(api):
    return [(f"{path}/{c['metadata']['name']}", api.get(f"{path}/{c['metadata']['name']}")) for path, c in configurations()]


def bundles(api):
    return {hook["clientConfig"].get("caBundle", "") for _, c in installed(api) for hook in c.get("webhooks", [])}


def test_the_certificate_is_kept_in_a_secret_and_the_bundle_written(clean):
    api = clean.api
    secret = api.get(SECRET)
    assert secret["type"] == "kubernetes.io/tls"
    assert set(secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert bundles(api) == {secret["data"]["ca.crt"]}
    text = run(["openssl", "x509", "-noout", "-text"], stdin=base64.b64decode(secret["data"]["tls.crt"]).decode())
    assert "DNS:strata-webhook.kube-system.svc" in text and "IP Address:127.0.0.1" in text and "prime256v1" in text


def test_a_bundle_that_somebody_changed_is_written_again(clean):
    api = clean.api
    bundle = api.get(SECRET)["data"]["ca.crt"]
    for path, configuration in installed(api):
        for hook in configuration["webhooks"]:
            hook["clientConfig"].pop("caBundle")
        status, answer = api.request("PUT", path, configuration)
        assert status == 200, answer
    assert bundles(api) == {""}
    wait_until(lambda: bundles(api) == {bundle}, "the bundle is back", timeout=30)
    clean.wait_asked(True)


def test_replicas_that_start_at_once_agree_on_one_certificate(clean):
    api = clean.api
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "wh-other"}})
    ports = (PORT + 20, PORT + 30, PORT + 40)
    processes = [api.spawn([SERVER, api.kubeconfig, port, "wh-other", "127.0.0.1"], "replica") for port in ports]
    try:
        for port in ports:
            wait_until(lambda: clean.readiness(port) == "200", "a replica is ready")
        served = {run(["bash", "-c", f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null"
                       " | openssl x509 -noout -fingerprint"], ns=api.ns) for port in ports}
        assert len(served) == 1
    finally:
        codes = [p.stop() for p in processes]
        # Nobody led them astray: the bundle they wrote is put right by the one that is asked.
        bundle = api.get(SECRET)["data"]["ca.crt"]
        wait_until(lambda: bundles(api) == {bundle}, "the bundle is back", timeout=30)
        clean.wait_asked(True)
    assert codes == [0, 0, 0]


def replaced(api, certificate):
    """Puts another certificate into the Secret and waits until a replica has replaced that; returns the Secret's data."""
    spoilt = base64.b64encode(certificate[0].encode()).decode()
    data = {"tls.crt": spoilt}
    if certificate[1] is not None:
        data["tls.key"] = base64.b64encode(certificate[1].encode()).decode()
    status, answer = api.request("PATCH", SECRET, {"data": data}, "application/merge-patch+json")
    assert status == 200, answer
    wait_until(lambda: api.get(SECRET)["data"]["tls.crt"] != spoilt, "a new certificate", timeout=60, interval=0.5)
    return api.get(SECRET)["data"]


def test_a_certificate_that_is_spoilt_is_made_anew(clean):
    before = clean.api.get(SECRET)["data"]
    after = replaced(clean.api, ("garbage", None))
    assert after["ca.crt"] == before["ca.crt"]  # by the same CA
    clean.wait_asked(True)


CA_CONFIGURATION = """
[ca]
default_ca = d
[d]
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = p
[p]
commonName = supplied
[e]
subjectAltName = DNS:strata-webhook.kube-system.svc,DNS:strata-webhook.kube-system.svc.cluster.local,DNS:strata-webhook.kube-system,DNS:strata-webhook,IP:127.0.0.1
"""


def test_a_certificate_is_renewed_before_it_expires(clean, tmp_path):
    api = clean.api
    data = api.get(SECRET)["data"]
    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).write_bytes(base64.b64decode(data[name]))
    (tmp_path / "index").touch()
    (tmp_path / "configuration").write_text(CA_CONFIGURATION.format(dir=tmp_path))
    run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-keyout", tmp_path / "key", "-out", tmp_path / "csr"])
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 100 * 86400))
    run(["openssl", "ca", "-batch", "-config", tmp_path / "configuration", "-extensions", "e", "-notext",
         "-cert", tmp_path / "ca.crt", "-keyfile", tmp_path / "ca.key", "-in", tmp_path / "csr", "-out", tmp_path / "crt",
         "-startdate", "20250101000000Z", "-enddate", end])
    after = replaced(api, ((tmp_path / "crt").read_text(), (tmp_path / "key").read_text()))
    text = base64.b64decode(after["tls.crt"]).decode()
    run(["openssl", "x509", "-noout", "-checkend", str(300 * 86400)], stdin=text)
    assert after["ca.crt"] == data["ca.crt"]
    clean.wait_asked(True)


# ── without the webhooks ─────────────────────────────────────────────────────────────────────────────


def test_without_the_webhooks_pods_are_taken_and_networks_refused(pods):
    api = pods.api
    for process in pods.processes:
        assert process.stop() == 0
    pods.processes.clear()
    try:
        status, pod = api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod_object("pod", {"specified-network": "none"}))
        assert status == 201 and PREFIX + "handled-by-webhook" not in pod["metadata"]["annotations"]
        status, answer = api.request("POST", f"{GROUP}/networks", network("new", {"nodeSelector": {"a": "b"}}))
        assert status == 500 and "failed calling webhook" in answer["message"]
        status, answer = api.request("DELETE", f"{GROUP}/subnets/o4")
        assert status == 500 and "failed calling webhook" in answer["message"]
    finally:
        pods.start()
        pods.wait_asked(True)


def test_managers_make_the_first_network_through_their_own_webhooks(clean):
    """As installed, with the account's rights: two managers, no certificate, no bundle, no Network, and webhooks that must not
    fail. Then the leader goes, and the other one keeps the bundle."""
    api, port = clean.api, PORT + 50
    for process in clean.processes:
        assert process.stop() == 0
    clean.processes.clear()
    clean.uninstall()
    api.request("DELETE", SECRET)
    wipe(clean)
    clean.register(port=port)
    world = World(api)
    # The API server of this test has no Service to go through: both listen, the second where nobody asks.
    managers = [world.start(f"--webhook-port={port + i}", "--webhook-names=127.0.0.1", "--create-defaults=true", *FAST,
                            env={"DEFAULT_NETWORK_TYPE": "Overlay"}) for i in range(2)]
    try:
        managers[0].process.log_text()
        wait_until(lambda: [s["metadata"]["name"] for s in api.objects("subnets")],
                   lambda: "a Subnet:\n" + "".join(m.process.log_text()[-2000:] for m in managers), timeout=90)
        (overlay,) = api.objects("networks")
        assert overlay["spec"]["type"] == "Overlay"
        assert create_words(api, "networks", "second", {"type": "Overlay", "netID": 5}) == "must have one overlay network at most"
        annotations, selector = mutated(api, {})
        assert annotations["network-type"] == "Overlay" and selector == {PREFIX + "overlay-network-attachment": "true"}
        leader = next(m for m in managers if m.leads())
        other = next(m for m in managers if m is not leader)
        leader.kill()
        other.wait_leading()
        bundle = api.get(SECRET)["data"]["ca.crt"]
        clean.register(port=port)  # without a bundle
        wait_until(lambda: bundles(api) == {bundle}, lambda: f"the bundle is back:\n{other.process.log_text()[-2000:]}", timeout=40)
    finally:
        world.end()
        clean.uninstall()
        wipe(clean)
        clean.start()
        clean.install()


def test_reviews_are_counted(clean):
    create_words(clean.api, "networks", "new", {})
    text = run(f"curl -s http://127.0.0.1:{PORT + 1}/metrics", ns=clean.api.ns)
    assert 'strata_admission_reviews_total{kind="Network",webhook="validate",outcome="denied"}' in text
    assert "strata_admission_review_duration_seconds_bucket" in text
