"""The last that is done to the cluster: Strata is taken off it."""
from lab.shell import wait_until


def test_an_uninstalled_strata_leaves_nothing_to_the_runtime(cluster):
    cluster.kubectl("delete pod --all")
    cluster.kubectl("-n kube-system delete daemonset strata-node")
    for node in cluster.nodes.values():
        wait_until(lambda: not list((node.directory / "etc-cni/net.d").iterdir()), f"{node.name}'s CNI configuration to go", timeout=40)
        assert not (node.directory / "opt-cni/bin/strata-cni").exists()
        addresses = node.run("ip -br address show dev eth1")
        assert f"10.88.0.{node.number}/24" in addresses and f"fd00:88::{node.number}/64" in addresses
        assert "default via 10.88.0.254 dev eth1" in node.run("ip route")
