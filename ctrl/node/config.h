// The daemon's configuration: one YAML file, every key in config/strata-vswitchd.yaml. Unknown
// keys are refused; without a file all defaults hold.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrl/log.h"
#include "ctrl/manager/manager.h"
#include "ctrl/model/object.h"
#include "ctrl/node/link.h"

struct config {
	char node_name
		[NAME_MAX_LEN]; // node.name; default: NODE_NAME, KUBE_NODE_NAME, the host's name
	struct key_values node_labels; // node.labels, dir store only; owned
	char socket[108]; // socket: "/run/strata/vswitchd.sock"
	char run_dir
		[256]; // runDir: "/run/strata" (vhost-user sockets and their .json in vhost-user/)
	char state_dir[256]; // stateDir: "/var/lib/strata" (attachments)
	bool store_kube; // store.kind: dir | kube
	char store_dir[256]; // store.dir: "/var/lib/strata/objects"
	char kubeconfig[256]; // store.kubeconfig: "" = the pod's service account
	enum log_level log_level; // log.level: notice
	char metrics_address[64]; // metrics.address: "" = all
	uint16_t metrics_port; // metrics.port: 0 = none

	char uplink_device[256]; // uplink.device: "" = none
	uint16_t uplink_queues; // uplink.queues: 0 = as many as workers
	uint16_t uplink_mtu; // uplink.mtu: 0 = the device's
	bool uplink_carries_host; // uplink.carriesHost: true

	char host_ifname[LINK_NAME_LEN]; // host.interface: "strata0"
	struct link_address *host_addr; // host.addresses, owned
	size_t n_host_addr;
	struct in6_addr host_gateway4, host_gateway6; // host.gateways

	struct in6_addr
		vtep; // vtep.address: unspecified = first of host.addresses (IPv4 before IPv6)
	uint16_t vxlan_port; // vtep.port: 8472
	bool masquerade; // host.masquerade: true

	uint16_t *worker_cpus; // workers.cpus, owned; default: one, see numa_place()
	bool has_worker_cpus; // the file says which
	size_t n_worker_cpus;
	bool busy; // workers.busy: false
	uint32_t n_buffers; // workers.buffers: 16384
	uint32_t memory_mb; // workers.memory: 0 = as needed
	// workers.rebalance: when queues move between workers
	uint32_t rebalance_interval; // .interval: 10 seconds, 0 = never
	uint32_t rebalance_load; // .load: 80 percent of a CPU
	uint32_t rebalance_gain; // .gain: 25 percent
	uint32_t rebalance_times; // .times: 3
	bool hugepages; // workers.hugepages: true = use them when there are any

	bool afxdp_native; // ports.afxdp.mode: generic | native
	uint32_t afxdp_ring; // ports.afxdp.ringSize: 256
	bool vhost_server; // ports.vhostUser.mode: client | server
	uint32_t vhost_queues; // ports.vhostUser.queues: 1
	uint16_t pod_mtu; // ports.mtu: 0 = by the rule in doc/forwarding.md

	uint32_t attach_timeout_ms; // attach.timeout: 10000, waiting for the IPInstance
	uint32_t
		check_timeout_ms; // attach.checkTimeout: 1000, gateway and duplicate check; 0 = off

	bool manager_enabled; // manager.enabled: true
	struct manager_conf
		manager; // manager.defaultNetworkType: Overlay, .defaultIPFamily: IPv4, …; strings owned by config
};

// Fills *ret with the file's values over the defaults (path NULL: defaults only). On failure
// returns -errno with error naming file, line, key and remedy.
int config_load(const char *path, struct config *ret, char error[512]);
void config_fini(struct config *c);
