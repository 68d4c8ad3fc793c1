// The columns of every listing. Those of `get` begin with the columns that operators of the
// reference system know; then come those of its current CRDs.
#include "ctrl/cli/table.h"

static const struct column network_columns[] = {
	{.header = "NAME", .path = "metadata.name"},
	{.header = "NETID", .path = "spec.netID"},
	{.header = "SWITCHID", .path = "spec.switchID", .fallback = "virtual-switch"},
	{.header = "TYPE", .path = "spec.type", .fallback = "Underlay"},
	{.header = "MODE", .path = "spec.mode"},
	{.header = "V4TOTAL", .path = "status.statistics.total"},
	{.header = "V4USED", .path = "status.statistics.used"},
	{.header = "V4AVAILABLE", .path = "status.statistics.available"},
	{.header = "LASTALLOCATEDV4SUBNET", .path = "status.lastAllocatedSubnet"},
	{.header = "V6TOTAL", .path = "status.ipv6Statistics.total"},
	{.header = "V6USED", .path = "status.ipv6Statistics.used"},
	{.header = "V6AVAILABLE", .path = "status.ipv6Statistics.available"},
	{.header = "LASTALLOCATEDV6SUBNET", .path = "status.lastAllocatedIPv6Subnet"},
	{0},
};

static const struct column subnet_columns[] = {
	{.header = "NAME", .path = "metadata.name"},
	{.header = "VERSION", .path = "spec.range.version"},
	{.header = "CIDR", .path = "spec.range.cidr"},
	{.header = "START", .path = "spec.range.start"},
	{.header = "END", .path = "spec.range.end"},
	{.header = "GATEWAY", .path = "spec.range.gateway"},
	{.header = "TOTAL", .path = "status.total"},
	{.header = "USED", .path = "status.used"},
	{.header = "AVAILABLE", .path = "status.available"},
	{.header = "NETID", .path = "spec.netID"},
	{.header = "NETWORK", .path = "spec.network"},
	{0},
};

static const struct column ipinstance_columns[] = {
	{.header = "NAMESPACE", .path = "metadata.namespace"},
	{.header = "NAME", .path = "metadata.name"},
	{.header = "IP", .path = "spec.address.ip"},
	{.header = "GATEWAY", .path = "spec.address.gateway"},
	{.header = "PODNAME", .path = "spec.binding.podName"},
	{.header = "NODE", .path = "spec.binding.nodeName"},
	{.header = "SUBNET", .path = "spec.subnet"},
	{.header = "NETWORK", .path = "spec.network"},
	{0},
};

static const struct column nodeinfo_columns[] = {
	{.header = "NAME", .path = "metadata.name"},
	{.header = "VTEPIP", .path = "spec.vtepInfo.ip"},
	{.header = "VTEPMAC", .path = "spec.vtepInfo.mac"},
	{.header = "VTEPLOCALIPS", .path = "spec.vtepInfo.localIPs"},
	{0},
};

static const struct column pod_columns[] = {
	{.header = "NAMESPACE", .path = "metadata.namespace"},
	{.header = "NAME", .path = "metadata.name"},
	{.header = "NODE", .path = "spec.nodeName"},
	{0},
};

const struct listing get_listings[] = {
	{.name = "network",
		.help = "scheduling domains: nodes with the same network properties",
		.columns = network_columns},
	{.name = "subnet", .help = "ranges of addresses", .columns = subnet_columns},
	{.name = "ipinstance", .help = "allocated addresses", .columns = ipinstance_columns},
	{.name = "nodeinfo",
		.help = "nodes and their tunnel end points",
		.columns = nodeinfo_columns},
	{.name = "pod", .help = "pods, as the store has them", .columns = pod_columns},
	{0},
};

static const struct column port_columns[] = {
	{.header = "PORT", .path = "port", .right = true},
	{.header = "NAME", .path = "name"},
	{.header = "KIND", .path = "kind"},
	{.header = "DRIVER", .path = "driver"},
	{.header = "UP", .path = "up"},
	{.header = "MAC", .path = "mac"},
	{.header = "IPS", .path = "ips"},
	{.header = "NETWORK", .path = "network"},
	{.header = "MTU", .path = "mtu", .right = true},
	{.header = "RX", .path = "rx_packets", .right = true},
	{.header = "TX", .path = "tx_packets", .right = true},
	{.header = "DROPS", .path = "drops", .right = true},
	{.header = "MISSED", .path = "rx_missed", .right = true},
	{.header = "DETAIL", .path = "detail"},
	{0},
};

static const struct column route_columns[] = {
	{.header = "ADDRESS", .path = "address"},
	{.header = "KIND", .path = "kind"},
	{.header = "NETWORK", .path = "network"},
	{.header = "SUBNET", .path = "subnet"},
	{.header = "VLAN", .path = "vlan", .right = true},
	{.header = "NEXTHOP", .path = "nexthop", .right = true},
	{.header = "NEIGHBOUR", .path = "neighbour", .right = true},
	{0},
};

static const struct column nexthop_columns[] = {
	{.header = "ID", .path = "id", .right = true},
	{.header = "KIND", .path = "kind"},
	{.header = "PORT", .path = "port", .right = true},
	{.header = "VLAN", .path = "vlan", .right = true},
	{.header = "DST", .path = "dst"},
	{.header = "REMOTE", .path = "remote"},
	{.header = "INNERDST", .path = "inner_dst"},
	{0},
};

static const struct column neighbour_columns[] = {
	{.header = "ADDRESS", .path = "address"},
	{.header = "VLAN", .path = "vlan", .right = true},
	{.header = "MAC", .path = "mac"},
	{.header = "STATE", .path = "state"},
	{.header = "SUBNET", .path = "subnet"},
	{.header = "AGE", .path = "age", .right = true},
	{0},
};

static const struct column worker_columns[] = {
	{.header = "WORKER", .path = "worker", .right = true},
	{.header = "LCORE", .path = "lcore", .right = true},
	{.header = "NUMA", .path = "numa_node", .right = true},
	{.header = "QUEUES", .path = "queues", .right = true},
	{.header = "LOAD%", .path = "load_percent", .right = true},
	{.header = "PACKETS", .path = "packets", .right = true},
	{.header = "CYCLES/PACKET", .path = "cycles_per_packet", .right = true},
	{.header = "BUSY%", .path = "busy_percent", .right = true},
	{.header = "ROUNDS", .path = "rounds", .right = true},
	{.header = "BUSYROUNDS", .path = "busy_rounds", .right = true},
	{.header = "SLEEPS", .path = "sleeps", .right = true},
	{0},
};

static const struct column queue_columns[] = {
	{.header = "PORT", .path = "port", .right = true},
	{.header = "NAME", .path = "name"},
	{.header = "QUEUE", .path = "queue", .right = true},
	{.header = "WORKER", .path = "worker", .right = true},
	{.header = "LOAD%", .path = "load_percent", .right = true},
	{.header = "PACKETS", .path = "packets", .right = true},
	{.header = "CYCLES/PACKET", .path = "cycles_per_packet", .right = true},
	{.header = "MOVES", .path = "moves", .right = true},
	{.header = "NUMA", .path = "numa_node", .right = true},
	{0},
};

static const struct column drop_columns[] = {
	{.header = "PORT", .path = "port", .right = true},
	{.header = "NAME", .path = "name"},
	{.header = "REASON", .path = "reason"},
	{.header = "COUNT", .path = "count", .right = true},
	{.header = "MEANING", .path = "text"},
	{0},
};

static const struct column version_columns[] = {
	{.header = "VERSION", .path = "version"},
	{.header = "DPDK", .path = "dpdk"},
	{.header = "NODE", .path = "node"},
	{.header = "STORE", .path = "store"},
	{.header = "MANAGER", .path = "manager"},
	{.header = "MEMORY", .path = "memory"},
	{.header = "UPTIME", .path = "uptime", .right = true},
	{0},
};

const struct listing show_listings[] = {
	{.name = "port", .help = "ports with their counters", .columns = port_columns},
	{.name = "route",
		.help = "every address that the data path knows",
		.columns = route_columns},
	{.name = "nexthop",
		.help = "the ways out that routes point to",
		.columns = nexthop_columns},
	{.name = "neighbour",
		.help = "stations on the uplink's VLANs",
		.columns = neighbour_columns},
	{.name = "worker", .help = "the polling threads", .columns = worker_columns},
	{.name = "queue",
		.help = "which worker polls what, and how much of its CPU that took lately",
		.columns = queue_columns},
	{.name = "drop", .help = "dropped packets by port and reason", .columns = drop_columns},
	{.name = "version", .help = "the daemon itself", .columns = version_columns},
	{0},
};
