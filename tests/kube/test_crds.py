"""The schemas: what the API server itself takes, refuses and shows."""
import pytest

from lab.shell import wait_until

# hybridnet's samples, its chart's first network, and its other modes.
HYBRIDNET = """
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {name: crd-overlay}
spec: {netID: 4, type: Overlay}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: crd-overlay}
spec:
  network: crd-overlay
  range: {version: "4", cidr: 10.14.100.0/24}
  config: {autoNatOutgoing: true}
---
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {name: crd-vlan}
spec:
  netID: 0
  type: Underlay
  nodeSelector: {network: network1}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: crd-vlan}
spec:
  network: crd-vlan
  netID: 0
  range: {version: "4", cidr: 192.168.56.0/24, gateway: 192.168.56.1, start: 192.168.56.100, end: 192.168.56.150,
    reservedIPs: [192.168.56.101], excludeIPs: [192.168.56.102]}
  config: {private: true, gatewayType: "", gatewayNode: "", allowSubnets: []}
---
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {name: crd-bgp}
spec:
  type: ""
  mode: BGP
  netID: 100
  nodeSelector: {network: bgp}
  config:
    bgpPeers:
    - {asn: 200, address: 192.168.56.254, gracefulRestartSeconds: 600, password: "12345"}
---
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {name: crd-global}
spec: {type: GlobalBGP, mode: ""}
---
apiVersion: networking.alibaba.com/v1
kind: IPInstance
metadata:
  name: 10-14-100-1
  namespace: default
  finalizers: [networking.alibaba.com/recycle-ip]
spec:
  network: crd-overlay
  subnet: crd-overlay
  address: {version: "4", ip: 10.14.100.1/24, mac: "00:16:ea:ae:3c:40", netID: 4}
  binding:
    referredObject: {kind: StatefulSet, name: web, uid: f00}
    nodeName: node1
    podUID: ba4
    podName: web-0
    stateful: {index: 0}
---
apiVersion: networking.alibaba.com/v1
kind: NodeInfo
metadata: {name: node1}
spec:
  vtepInfo: {ip: 10.88.0.1, mac: "52:54:00:12:34:56", localIPs: [10.88.0.1]}
"""

REFUSED = [
    ("Network", {"netID": -1}, "spec.netID: Invalid value: -1"),
    ("Network", {"netID": "4"}, "spec.netID: Invalid value"),
    ("Network", {"config": {"bgpPeers": [{"address": "10.0.0.1"}]}}, "spec.config.bgpPeers.asn: Required value"),
    ("Subnet", {"network": "n"}, "spec.range: Required value"),
    ("Subnet", {"network": "n", "netID": -1, "range": {"version": "4", "cidr": "10.0.0.0/24"}}, "spec.netID: Invalid value: -1"),
    ("IPInstance", {"network": "n", "subnet": "s", "address": {"version": "4", "ip": "10.0.0.1/24", "mac": "00:16"}},
     "spec.address.mac: Invalid value"),
    ("IPInstance", {"network": "n", "subnet": "s", "address": {"version": "5", "ip": "10.0.0.1/24", "mac": "02:12:34:00:00:01"}},
     'spec.address.version: Unsupported value: "5"'),
    ("NodeInfo", {"vtepInfo": {"mac": "none"}}, "spec.vtepInfo.mac: Invalid value"),
]


@pytest.fixture(scope="module", autouse=True)
def objects(apiserver):
    apiserver.wipe()
    apiserver.apply(HYBRIDNET)
    yield
    apiserver.wipe()


def test_every_object_that_hybridnet_takes_applies_and_loses_no_field(apiserver):
    subnet = apiserver.get("/apis/networking.alibaba.com/v1/subnets/crd-vlan")["spec"]
    assert subnet["range"]["excludeIPs"] == ["192.168.56.102"] and subnet["config"]["private"] is True
    peer = apiserver.get("/apis/networking.alibaba.com/v1/networks/crd-bgp")["spec"]["config"]["bgpPeers"][0]
    assert peer == {"asn": 200, "address": "192.168.56.254", "gracefulRestartSeconds": 600, "password": "12345"}
    binding = apiserver.objects("ipinstances", "default")[0]["spec"]["binding"]
    assert binding["stateful"] == {"index": 0} and binding["referredObject"]["kind"] == "StatefulSet"


@pytest.mark.parametrize("kind,spec,message", REFUSED)
def test_the_schema_refuses_what_nobody_could_work_with(apiserver, kind, spec, message):
    plurals = {"Network": "networks", "Subnet": "subnets", "IPInstance": "namespaces/default/ipinstances", "NodeInfo": "nodeinfoes"}
    status, answer = apiserver.request("POST", f"/apis/networking.alibaba.com/v1/{plurals[kind]}", {
        "apiVersion": "networking.alibaba.com/v1", "kind": kind, "metadata": {"name": "crd-refused"}, "spec": spec})
    assert status == 422, answer
    assert message in answer["message"]


def test_networks_show_the_net_id_and_the_switch_first_then_hybridnet_s_columns(apiserver):
    header, *rows = apiserver.kubectl("get network").splitlines()
    assert header.split() == ["NAME", "NETID", "SWITCHID", "TYPE", "MODE", "V4TOTAL", "V4USED", "V4AVAILABLE",
                              "LASTALLOCATEDV4SUBNET", "V6TOTAL", "V6USED", "V6AVAILABLE", "LASTALLOCATEDV6SUBNET"]
    assert ["crd-overlay", "4", "virtual-switch", "Overlay"] in [r.split() for r in rows]


@pytest.mark.parametrize("name,columns", [
    ("sn", ["NAME", "VERSION", "CIDR", "START", "END", "GATEWAY", "TOTAL", "USED", "AVAILABLE", "NETID", "NETWORK"]),
    ("ipi", ["NAME", "IP", "GATEWAY", "PODNAME", "NODE", "SUBNET", "NETWORK"]),
    ("ni", ["NAME", "VTEPIP", "VTEPMAC", "VTEPLOCALIPS"]),
])
def test_the_other_kinds_have_hybridnet_s_columns_and_a_short_name(apiserver, name, columns):
    assert apiserver.kubectl(["get", name]).splitlines()[0].split() == columns


def test_a_status_is_written_apart_from_the_object(apiserver):
    path = "/apis/networking.alibaba.com/v1/networks/crd-overlay"
    patch = {"spec": {"netID": 5}, "status": {"nodeList": ["node1"], "statistics": {"total": 254, "used": 1, "available": 253},
             "conditions": [{"type": "Ready", "status": "True", "reason": "Complete", "message": ""}]}}
    status, answer = apiserver.request("PATCH", f"{path}/status", patch, "application/merge-patch+json")
    assert status == 200, answer
    assert answer["spec"]["netID"] == 4
    assert answer["status"] == patch["status"]


def test_kubectl_explains_every_field_of_a_spec(apiserver):
    # The server tells what it knows of new kinds a moment after it serves them.
    for kind in ("network", "subnet", "ipinstance", "nodeinfo"):
        wait_until(lambda: "<" in apiserver.kubectl(["explain", f"{kind}.spec", "--recursive"], check=False), f"an explanation of {kind}")
    assert "VLAN ID" in apiserver.kubectl("explain network.spec.netID")
