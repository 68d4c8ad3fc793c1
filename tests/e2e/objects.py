"""Objects as YAML text."""
import json

API = "networking.alibaba.com/v1"


def yaml(*objects):
    return "---\n".join(json.dumps(o, indent=1) + "\n" for o in objects)


def network(name, **spec):
    return {"apiVersion": API, "kind": "Network", "metadata": {"name": name}, "spec": spec}


def subnet(name, network, cidr, gateway=None, net_id=None, config=None, **extra):
    spec = {"network": network, "range": {"version": "6" if ":" in cidr else "4", "cidr": cidr, **extra}}
    if gateway:
        spec["range"]["gateway"] = gateway
    if net_id is not None:
        spec["netID"] = net_id
    if config:
        spec["config"] = config
    return {"apiVersion": API, "kind": "Subnet", "metadata": {"name": name}, "spec": spec}


def ipinstance_name(ip):
    if ":" not in ip:
        return ip.replace(".", "-")
    import ipaddress
    return "-".join(f"{int(g, 16):x}" for g in ipaddress.ip_address(ip).exploded.split(":"))


def ipinstance(ip, prefix_len, network, subnet, node, mac, pod, gateway=None, net_id=None, namespace="default"):
    address = {"version": "6" if ":" in ip else "4", "ip": f"{ip}/{prefix_len}", "mac": mac}
    if gateway:
        address["gateway"] = gateway
    if net_id is not None:
        address["netID"] = net_id
    return {"apiVersion": API, "kind": "IPInstance",
            "metadata": {"name": ipinstance_name(ip), "namespace": namespace,
                         "labels": {"networking.alibaba.com/network": network, "networking.alibaba.com/subnet": subnet,
                                    "networking.alibaba.com/node": node, "networking.alibaba.com/pod": pod}},
            "spec": {"network": network, "subnet": subnet, "address": address,
                     "binding": {"nodeName": node, "podName": pod, "podUID": f"uid-{pod}",
                                 "referredObject": {"kind": "Pod", "name": pod, "uid": f"uid-{pod}"}}}}


def nodeinfo(name, ip, mac, local_ips=()):
    return {"apiVersion": API, "kind": "NodeInfo", "metadata": {"name": name},
            "spec": {"vtepInfo": {"ip": ip, "mac": mac, "localIPs": list(local_ips or [ip])}}}


OVERLAY6 = subnet("overlay-6", "network-0", "fd00:64::/64", "fd00:64::1")


def vlan56(node_label="network1"):
    """An Underlay Network on VLAN 56 for nodes with that label, dual stack."""
    return [network("vlan56", type="Underlay", netID=56, nodeSelector={"network": node_label}),
            subnet("vlan56-4", "vlan56", "10.56.0.0/24", "10.56.0.254", start="10.56.0.100", end="10.56.0.199"),
            subnet("vlan56-6", "vlan56", "fd00:56::/64", "fd00:56::fe", start="fd00:56::100", end="fd00:56::1ff")]
