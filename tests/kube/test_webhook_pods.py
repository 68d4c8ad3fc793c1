"""The rules for Pods and for who writes their addresses, in a real API server: each with its words, and what a Pod gains."""
import pytest

from lab.shell import wait_until
from managertool import MERGE, OURS, PREFIX, network
from webhooktool import (api, check, clean, create, instance, mutated, other, pod_object, pod_words, pods, set_status, subnet, try_pod,
                         webhook, words)

# ── 4.5 Pods ─────────────────────────────────────────────────────────────────────────────────────────

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
    ({"mac-pool": "02:12:34:00:00:01,02-12-34-00-00-02,0212.3400.0003"}, ""),
    ({"mac-pool": "00-16-EA-AE-3C-40,08:00:20:0A:8C:6D"}, ""),
    ({"mac-pool": "11.22.33.44.55"}, "the 0 mac address 11.22.33.44.55 is not valid"),
    ({"mac-pool": "00:00:00:00"}, "the 0 mac address 00:00:00:00 is not valid"),
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
        assert try_pod(pods.api, pod_object("pod", {"specified-network": "vlan", "network-type": "Overlay"}))[1]["code"] == 500
        assert try_pod(pods.api, pod_object("pod", {"specified-network": "none"}))[1]["code"] == 403
        set_status(pods.api, "subnets", "o4", {"total": 65534, "used": 65534, "available": 0})
        wait_until(lambda: pod_words(pods.api, {"network-type": "Overlay"})
                   == "lacking ipv4 addresses by network type Overlay", "the overlay is full")

    def test_pods_need_a_network_of_their_type_and_addresses_in_it(self, clean):
        api = clean.api
        rows = [(kind, f"no network found by type {kind}") for kind in ("Overlay", "GlobalBGP")]
        check(rows + [("Underlay", "")], lambda kind: pod_words(api, {"network-type": kind}))
        create(api, network("global", {"type": "GlobalBGP"}))
        check([(family, f"lacking {words} addresses by network type GlobalBGP")
               for family, words in (("IPv4", "ipv4"), ("IPv6Only", "ipv6"), ("dualstack", "dual stack"))],
              lambda family: pod_words(api, {"network-type": "globalbgp", "ip-family": family}))
        create(api, subnet("g", other("global")))
        check([("IPv4", ""), ("DualStack", "lacking dual stack addresses by network type GlobalBGP")],
              lambda family: pod_words(api, {"network-type": "GlobalBGP", "ip-family": family}))

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
           ({"specified-network": "none"}, 'unable to parse network config for pod: failed to get network none: '
                                           'Network.networking.alibaba.com "none" not found'),
           ({"specified-network": "vlan", "network-type": "Overlay"},
            "unable to parse network config for pod: specified network vlan does not match network type Overlay"),
           ({"ip-family": "v4"}, "unable to parse network config for pod: unrecognized ip family v4"),
           ({"network-type": "others"}, "unable to parse network config for pod: unrecognized network type others")],
          lambda annotations: pod_words(pods.api, annotations))


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
    api.request("PATCH", "/api/v1/namespaces/default", note, MERGE)
    try:
        wait_until(lambda: mutated(api, {})[0]["network-type"] == "Overlay", "the namespace is heard")
        assert mutated(api, {"ip-family": "IPv4"})[0]["network-type"] == "Underlay"
    finally:
        note["metadata"]["annotations"][PREFIX + "network-type"] = None
        api.request("PATCH", "/api/v1/namespaces/default", note, MERGE)


def test_a_pod_that_keeps_its_address_needs_no_quota(pods):
    api = pods.api
    create(api, instance("fd00-0-0-0-0-0-0-9", "vlan", "v6", "fd00::9/64", pod="pod"))
    pod = pod_object("pod", {})
    pod["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "u", "controller": True}]

    def selector():
        status, made = try_pod(api, pod)
        assert status == 201, made
        return made["spec"]["nodeSelector"], made["metadata"]["annotations"][PREFIX + "ip-family"]

    wait_until(lambda: selector() == ({"net": "a"}, "IPv6Only"), "the kept address decides")


def test_addresses_that_no_pod_can_have_had_are_refused(pods):
    api = pods.api
    pod = pod_object("pod", {})
    pod["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "u", "controller": True}]
    for n, message in ((2, "more than two ip instances are of the same family type, ipv4 count 2, ipv6 count 0"),
                       (3, "more than two reserve ip exist for list options pod=pod")):
        for i in range(n):
            api.request("POST", f"{OURS}/namespaces/default/ipinstances",
                        instance(f"192-168-56-{10 + i}", "vlan", "v4", f"192.168.56.{10 + i}/24", pod="pod"))
        wait_until(lambda: words(*try_pod(api, pod)) == f"unable to parse network config for pod: {message}",
                   lambda: str(try_pod(api, pod)))


def test_host_network_pods_are_only_tolerant(pods):
    status, pod = try_pod(pods.api, pod_object("pod", {"specified-network": "none"}, spec={"hostNetwork": True}))
    assert status == 201, pod
    assert {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
    assert PREFIX + "handled-by-webhook" not in pod["metadata"]["annotations"]


@pytest.mark.parametrize("label, value", [("webhook.hybridnet.io/ignore", "true"), ("webhook.hybridnet.io/ignore", "TRUE"),
                                          ("app", "kube-proxy")])
def test_ignored_pods_are_left_alone(pods, label, value):
    assert mutated(pods.api, {"specified-network": "none"}, labels={label: value}) == ({"specified-network": "none"}, {})


def test_pods_whose_name_is_still_to_be_made_are_taken(pods):
    pod = pod_object("x", {})
    del pod["metadata"]["name"]
    pod["metadata"]["generateName"] = "web-"
    status, made = try_pod(pods.api, pod)
    assert status == 201 and made["metadata"]["annotations"][PREFIX + "handled-by-webhook"] == "true"


# ── what a node may write ────────────────────────────────────────────────────────────────────────────


def test_a_node_writes_its_own_objects_only(pods):
    api = pods.api
    api.grant("strata-node")
    token = node_token(api, "wh-node1")
    for i, node in ((5, "wh-node1"), (6, "wh-node2")):
        create(api, instance(f"192-168-56-{i}", "vlan", "v4", f"192.168.56.{i}/24", pod="p", node=node))

    def node_info(name):
        return words(*api.request("POST", f"{OURS}/nodeinfoes", {
            "apiVersion": "networking.alibaba.com/v1", "kind": "NodeInfo", "metadata": {"name": name},
            "spec": {"vtepInfo": {"ip": "10.0.0.1", "mac": "02:00:00:00:00:01"}}}, token=token))

    def status_of(i, path="/status"):
        return words(*api.request("PATCH", f"{OURS}/namespaces/default/ipinstances/192-168-56-{i}{path}",
                                  {"status": {"sandboxID": "s"}, "metadata": {"labels": {"a": "b"}}},
                                  MERGE, token=token))

    assert node_info("wh-node1") == ""
    assert node_info("wh-node2") == "node wh-node1 may not write nodeinfo wh-node2 of another node"
    assert status_of(5) == ""
    assert status_of(6) == "node wh-node1 may not write ipinstance 192-168-56-6 of another node"
    assert status_of(5, "") == "a node may write the status of its own ipinstances only, not ipinstance 192-168-56-5"


def node_token(api, node):
    """A token as a daemon's Pod has it: bound to the Pod, which runs on the node."""
    api.token("strata-node")  # makes the account
    pod = pod_object("strata-node-1", {}, labels={"webhook.hybridnet.io/ignore": "true"})
    pod["spec"].update(serviceAccountName="strata-node", nodeName=node)
    status, made = api.request("POST", "/api/v1/namespaces/kube-system/pods", pod)
    assert status == 201, made
    return api.token("strata-node", pod=made)


def test_ipinstances_written_by_hand_are_judged(pods):
    api = pods.api
    wrong = instance("192-168-57-9", "vlan", "v4", "192.168.57.9/24")
    path = f"{OURS}/namespaces/default/ipinstances"
    assert words(*api.request("POST", path, wrong)) == "address 192.168.57.9 is not in CIDR 192.168.56.0/24 of subnet v4"
    create(api, instance("192-168-56-9", "vlan", "v4", "192.168.56.9/24"))
    assert words(*api.request("POST", path, instance("other", "vlan", "v4", "192.168.56.9/24"))) == (
        "address 192.168.56.9 is already that of ipinstance default/192-168-56-9")
