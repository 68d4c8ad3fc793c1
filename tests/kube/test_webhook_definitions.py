"""The rules for Networks and Subnets, in a real API server: each with its words, and for changes at the same time."""
import base64
import json
import ssl
import threading

import pytest

from lab import netns
from managertool import network, node
from webhooktool import (LEASE, PORT, SECRET, api, check, clean, create, create_words, delete_words, instance, other, set_status,
                         subnet, update_words, vlan, webhook)

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
    # No node is in both, so their ids are those of two wires; and a VNI is no VLAN id (20).
    ({**SELECTOR, "netID": 10}, ""),
    ({**SELECTOR, "netID": 4}, ""),
    # AS numbers of four bytes (20).
    ({**BGP, "netID": 4294967295, "config": {"bgpPeers": [{**PEER, "asn": 4294967294}]}}, ""),
    ({**BGP, "netID": 4294967296, "config": {"bgpPeers": [PEER]}}, "AS number 4294967296 is out of range 1-4294967295"),
    ({**BGP, "netID": 0, "config": {"bgpPeers": [PEER]}}, "AS number 0 is out of range 1-4294967295"),
    ({**BGP, "config": {"bgpPeers": [{**PEER, "asn": 4294967296}]}},
     "bgp peer 192.168.56.254's AS number 4294967296 is out of range 1-4294967295"),
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
    for name, net in (("wh-node1", "a"), ("wh-node2", "b")):
        status, answer = api.request("POST", "/api/v1/nodes", node(name, net=net))
        assert status == 201, answer
    create(api, network("vlan", {"nodeSelector": {"net": "a"}, "netID": 10}))
    create(api, network("bare", {"nodeSelector": {"net": "bare"}}))
    create(api, network("overlay", {"type": "Overlay", "netID": 4}))
    create(api, network("bgp", {"nodeSelector": {"net": "b"}, "mode": "BGP", "netID": 100, "config": {"bgpPeers": [PEER]}}))
    create(api, network("global", {"type": "GlobalBGP"}))
    return api


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
    check([((name, spec), message) for name, spec, message in rows], lambda row: update_words(networks, "networks", *row))


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
    (other("global", config={"autoNatOutgoing": True}), "must not set autoNatOutgoing with underlay subnet"),
    (other("global", config={"private": True}), ""),
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
    create(networks, subnet("g", other("global", cidr="10.11.0.0/24")))

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
        ("g", other("global", cidr="10.11.0.0/24", netID=1), "must not assign net ID for (global) bgp subnet"),
        ("g", other("global", cidr="10.11.0.0/24", config={"autoNatOutgoing": False}),
         "must not set autoNatOutgoing with (global) bgp subnet"),
    ]
    check([((name, spec), message) for name, spec, message in rows], lambda row: update_words(networks, "subnets", *row))


def test_subnets_in_use_are_not_deleted(subnets):
    assert delete_words(subnets, "subnets", "there") == ""
    create(subnets, instance("10-0-1-5", "vlan", "there", "10.0.1.5/24", pod="p"))
    create(subnets, instance("10-0-1-6", "vlan", "there", "10.0.1.6/24"))
    assert delete_words(subnets, "subnets", "there") == "still have using ips [10.0.1.5 10.0.1.6]"


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
